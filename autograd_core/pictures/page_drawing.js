// The drawing: the pictures of one collapse state, forward and backward merged into one, and when each part of them comes alive.
// Text of users only ever arrives here inside a parsed SVG, or goes through textContent: nothing is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in made && !name.includes("-")) made[name] = value;
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function vector(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function parse(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (svg.nodeName !== "svg") throw new Error("the picture is not SVG");
  for (const bad of svg.querySelectorAll("script, foreignObject, a, use, image, iframe, style")) bad.remove();
  for (const part of [svg, ...svg.querySelectorAll("*")])
    for (const { name } of [...part.attributes]) if (/^on|href|^id$|^style$/i.test(name)) part.removeAttribute(name);
  for (const hot of svg.querySelectorAll(".hot")) // coloured by a measure, whatever its role
    if (/^#[0-9A-F]{6}$/.test(hot.getAttribute("fill"))) hot.style.fill = hot.getAttribute("fill");
  return document.importNode(svg, true);
}

const keyOf = (part) => ["node", "module", "edge"].map((kind) => part.getAttribute("data-" + kind)).join("|");

// When parts come alive: at step k of the forward pass (1..F), at step F+k of the backward pass.
function timetable(data) {
  const ends = data.forward.length;
  const computed = new Map(data.forward.map((id, i) => [id, i + 1]));
  const pulled = new Map(data.backward.map((id, i) => [id, ends + i + 1]));
  const into = new Map(), outOf = new Map();
  for (const [id, edge] of Object.entries(data.edges)) {
    for (const [map, end] of [[into, edge.to], [outOf, edge.from]]) map.set(end, [...(map.get(end) || []), id]);
  }
  const copies = new Map(); // "copy 3 of 12" of a repeated block
  for (const { members } of Object.values(data.nodes))
    (members || []).forEach((id, i) => copies.set(id, `copy ${i + 1} of ${members.length}`));
  // A node that is no step (a leaf, a named result) has its value when its last operand has, its gradient with the last contribution.
  const forward = (id) => {
    if (!computed.has(id)) {
      computed.set(id, 0);
      computed.set(id, Math.max(0, ...(into.get(id) || []).map((e) => forward(data.edges[e].from))));
    }
    return computed.get(id);
  };
  const backward = (id) => {
    if (!pulled.has(id)) {
      const flows = (outOf.get(id) || []).filter((e) => data.edges[e].flow);
      const gradient = data.nodes[id] && data.nodes[id].gradient;
      pulled.set(id, flows.length || !gradient ? Infinity : ends + 1);
      if (flows.length) pulled.set(id, Math.max(...flows.map((e) => backward(data.edges[e].to))));
    }
    return pulled.get(id);
  };
  return { ends, total: ends + data.backward.length, forward, backward, into, outOf, copies };
}

// One collapse state, drawn: the merged SVG and where in it nodes, modules and edges are.
class Drawing {
  constructor(data, view) {
    this.data = data;
    this.collapsed = new Set(view.collapsed);
    this.svg = parse(view.forward);
    this.svg.setAttribute("focusable", "false");
    this.svg.setAttribute("role", "group"); // as an "img" its parts could not be reached
    this.parts = new Map(); // of each node and module its group, the first if a shared leaf is drawn several times
    this.groups = []; // all of them
    this.boxes = new Map();
    this.edges = [];
    const groups = "g[data-node], g[data-module], g[data-edge], g.legend";
    const twins = view.backward ? [...parse(view.backward).querySelectorAll(groups)] : [];
    const parts = [...this.svg.querySelectorAll(groups)];
    if (twins.length && parts.some((part, i) => keyOf(part) !== keyOf(twins[i]))) throw new Error("forward and backward differ");
    parts.forEach((part, i) => this.merge(part, twins[i]));
    for (const title of this.svg.querySelectorAll("title, desc")) title.remove(); // they would be second tooltips
    this.folded = new Map();
    for (const [id, node] of Object.entries(data.nodes))
      if (this.parts.has(id)) for (const member of node.members || []) this.folded.set(member, id);
  }

  // A part gets two faces, each with the classes it had as `is-...`, so that colours may differ between them.
  merge(part, twin) {
    const face = (side, from) => {
      const made = vector("g", { class: [side, ...[...from.classList].map((name) => "is-" + name)].join(" ") });
      made.append(...from.childNodes);
      return made;
    };
    part.append(face("there", part));
    if (!twin) return this.enter(part);
    part.append(face("back", twin));
    part.classList.add("both");
    return this.enter(part);
  }

  enter(part) {
    const [edge, node, module, copy] = ["edge", "node", "module", "copy"].map((kind) => part.getAttribute("data-" + kind));
    const id = node || module;
    if (edge) this.edges.push({ part, ids: edge.split(" ") });
    if (edge || !id || part.classList.contains("shadow")) return; // the sheets below a repeated module are not it
    this.groups.push({ id, part, copy });
    if (!this.parts.has(id)) this.parts.set(id, part);
  }

  // The box that stands for a node: its own, that of the node it is folded into, or that of the nearest collapsed module.
  boxOf(id) {
    if (!this.boxes.has(id)) this.boxes.set(id, this.findBox(id));
    return this.boxes.get(id);
  }

  findBox(id) {
    if (this.parts.has(id)) return this.parts.get(id);
    if (this.folded.has(id)) return this.parts.get(this.folded.get(id));
    let module = this.data.nodes[id] && this.data.nodes[id].module;
    for (; module; module = (this.data.modules[module] || {}).parent)
      if (this.collapsed.has(module) && this.parts.has(module)) return this.parts.get(module);
    return null;
  }
}

// The view in which `module` is closed (or open) and which differs least from the one shown.
function viewWith(data, shown, module, closed) {
  const ancestors = [];
  for (let m = module; m; m = (data.modules[m] || {}).parent) ancestors.push(m);
  const fits = (view) =>
    closed ? view.collapsed.includes(module) : !ancestors.some((m) => view.collapsed.includes(m));
  const wanted = new Set(shown.collapsed);
  if (closed) wanted.add(module);
  else ancestors.forEach((m) => wanted.delete(m));
  const distance = (view) => {
    const has = new Set(view.collapsed);
    return [...wanted].filter((m) => !has.has(m)).length + [...has].filter((m) => !wanted.has(m)).length;
  };
  let best = null;
  for (const view of data.views) if (fits(view) && (!best || distance(view) < distance(best))) best = view;
  return best;
}
