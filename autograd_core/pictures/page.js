// The figure: controls, keyboard, themes, and the one variable everything follows from: `k`, how many steps have been taken.
// Steps 1..F are the forward pass, F+1..F+B the backward pass; `whole` shows a pass at a glance, with no step singled out.

const HINT = "← → step · space plays · f b whole passes · home end · ↑ ↓ walk over the nodes";

const ICONS = {
  reset: "M2.5 2v10 M11 2.5L5.5 7l5.5 4.5",
  previous: "M9.5 2.5L4 7l5.5 4.5",
  next: "M4.5 2.5L10 7l-5.5 4.5",
  finish: "M11.5 2v10 M3 2.5L8.5 7 3 11.5",
  play: "M4 2.5v9l7.5-4.5z",
  pause: "M4.5 2.5v9 M9.5 2.5v9",
  close: "M2 2h10v10H2z M4.5 7h5",
  open: "M2 2h10v10H2z M4.5 7h5 M7 4.5v5",
  smaller: "M3 7h8",
  larger: "M3 7h8 M7 3v8",
  auto: "M7 1.5a5.5 5.5 0 1 0 .01 0z M7 3.5v7a3.5 3.5 0 0 0 0-7z",
  light: "M7 4.3a2.7 2.7 0 1 0 .01 0z M7 .5v1.8 M7 11.7v1.8 M.5 7h1.8 M11.7 7h1.8 M2.4 2.4l1.3 1.3 M10.3 10.3l1.3 1.3 M2.4 11.6l1.3-1.3 M10.3 3.7l1.3-1.3",
  dark: "M11.8 8.6A5.3 5.3 0 0 1 5.4 2.2a5.3 5.3 0 1 0 6.4 6.4z",
};

function icon(name) {
  const made = vector("svg", { class: `icon icon-${name}`, width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" });
  made.append(vector("path", { d: ICONS[name] }));
  return made;
}

class Figure {
  constructor(host, data, css) {
    this.host = host;
    this.data = data;
    this.times = timetable(data);
    this.drawings = new Map();
    this.view = data.views[0];
    this.hasBack = data.views.some((view) => view.backward);
    this.last = this.hasBack ? this.times.total : this.times.ends;
    this.whole = true;
    this.k = data.direction === "backward" && this.hasBack ? this.last : this.times.ends;
    this.zoom = null;
    this.build();
    this.show(this.view);
    this.host.attachShadow({ mode: "open" }).append(element("style", {}, css), this.frame); // last: until here the image stands
    if (window.ResizeObserver) new ResizeObserver(() => this.resize()).observe(this.stage);
    this.watchTheme();
    this.resize();
  }

  // ---------------------------------------------------------------------------------------------------- the frame

  build() {
    const { data } = this;
    const button = (name, words, label, act) => {
      const made = element("button", { type: "button", className: name, onclick: act });
      this[name] = made;
      this.label(made, name, words, label);
      return made;
    };
    const group = (label, ...parts) => element("span", { role: "group", className: "group", "aria-label": label }, ...parts);
    const passes = group(
      "pass",
      button("forward", "forward", "Show the whole forward pass", () => this.pass(false)),
      button("backward", "backward", this.hasBack ? "Show the whole backward pass" : "No gradients yet: call backward() first", () => this.pass(true)),
    );
    this.disable(this.backward, !this.hasBack);
    const stepping = group(
      "steps",
      button("reset", "", "Reset to the start", () => this.go(0)),
      button("previous", "back", "Step back", () => this.step(-1)),
      button("play", "play", "Play", () => this.toggle()),
      button("next", "step", "Step", () => this.step(1)),
      button("finish", "", "To the end", () => this.go(this.last)),
    );
    this.slider = element("input", { type: "range", min: 0, max: this.last, step: 1, className: "slider", "aria-label": "Step" });
    this.slider.style.setProperty("--turn", `${(100 * this.times.ends) / Math.max(1, this.last)}%`);
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.status = element("span", { className: "status" });
    this.speed = element("select", { className: "speed", "aria-label": "Speed", title: "Speed" });
    for (const speed of [0.5, 1, 2, 4]) this.speed.append(element("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    const looks = group("view");
    if (data.views.length > 1) {
      looks.append(button("close", "", "Collapse all modules", () => this.showExtreme(1)));
      looks.append(button("open", "", "Expand all modules", () => this.showExtreme(-1)));
    }
    looks.append(button("smaller", "", "Smaller", () => this.magnify(0.8)));
    looks.append(button("fit", "fit", "Fit the width", () => this.magnify(0)));
    looks.append(button("larger", "", "Larger", () => this.magnify(1.25)));
    looks.append(button("theme", "", "Theme", () => this.nextTheme()));
    const bar = element("div", { className: "bar", role: "toolbar", "aria-label": "Passes and steps" }, passes, stepping, this.slider, this.status, this.speed, looks);
    this.stage = element("div", { className: "stage", tabIndex: -1, role: "group", "aria-label": data.alt });
    this.panel = element("div", { className: "panel" });
    this.tip = element("div", { className: "tip", role: "tooltip", hidden: true });
    this.voice = element("div", { className: "voice", "aria-live": "polite", "aria-atomic": "true" });
    const note = data.note ? element("p", { className: "note" }, data.note) : null;
    this.frame = element("div", { className: "frame" }, bar, note, this.stage, this.panel, this.tip, this.voice);
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  // ---------------------------------------------------------------------------------------------------- collapse states

  show(view, focus = null) {
    this.view = view;
    if (!this.drawings.has(view)) this.drawings.set(view, this.draw(view));
    this.drawing = this.drawings.get(view);
    this.stage.replaceChildren(this.drawing.svg);
    this.hide();
    this.resize();
    this.update(false);
    const part = focus && this.drawing.parts.get(focus);
    this.rove(part || this.ordered()[0], Boolean(part));
  }

  draw(view) {
    const drawing = new Drawing(this.data, view);
    for (const { id, part } of drawing.groups) {
      part.setAttribute("tabindex", "-1");
      part.setAttribute("role", "button");
      part.setAttribute("aria-label", described(this.data, id));
      part.addEventListener("pointerenter", () => this.tell(id, part));
      part.addEventListener("pointerleave", () => this.hide());
      part.addEventListener("focus", () => part.matches(":focus-visible") && this.tell(id, part));
      part.addEventListener("blur", () => this.hide());
      part.addEventListener("click", () => this.choose(id));
      const closed = drawing.collapsed.has(id), module = this.data.modules[id];
      if (!module || module.opens === false || !viewWith(this.data, view, id, !closed)) continue;
      part.classList.add("folds");
      part.setAttribute("aria-expanded", String(!closed));
      for (const name of part.querySelectorAll("text.name")) if (!/^[▸▾]/.test(name.textContent)) name.prepend(closed ? "▸ " : "▾ ");
    }
    return drawing;
  }

  showExtreme(sign) {
    const sorted = [...this.data.views].sort((a, b) => sign * (b.collapsed.length - a.collapsed.length));
    this.show(sorted[0]);
  }

  choose(id) {
    if (this.data.modules[id]) {
      const view = this.data.modules[id].opens !== false && viewWith(this.data, this.view, id, !this.drawing.collapsed.has(id));
      if (view) this.show(view, id);
      return;
    }
    const back = this.k > this.times.ends;
    const step = (back ? this.data.backward.indexOf(id) + this.times.ends : this.data.forward.indexOf(id)) + 1;
    if (step > (back ? this.times.ends : 0)) this.go(step);
    else this.panel.replaceChildren(...card(this.data, this.times, id).filter(Boolean));
    this.rove(this.drawing.parts.get(id), false);
  }

  // ---------------------------------------------------------------------------------------------------- steps

  pass(back) {
    if (back && !this.hasBack) return;
    this.stop();
    this.whole = true;
    this.k = back ? this.last : this.times.ends;
    this.update();
  }

  go(k) {
    this.stop();
    this.move(k);
  }

  move(k) {
    this.whole = false;
    this.k = Math.max(0, Math.min(this.last, k));
    this.update();
  }

  // From a whole pass, a step forward begins that pass.
  step(by) {
    this.stop();
    this.move(this.whole && by > 0 ? this.begin() + 1 : this.k + (this.whole ? 0 : by));
  }

  begin() {
    return this.k > this.times.ends ? this.times.ends : 0;
  }

  toggle() {
    if (this.timer) return this.stop();
    if (this.whole || this.k >= this.last) this.k = this.whole ? this.begin() : 0;
    const tick = () => {
      this.move(this.k + 1);
      if (this.k >= this.last || !this.host.isConnected) return this.stop();
      this.timer = setTimeout(tick, 1000 / Number(this.speed.value));
    };
    this.timer = setTimeout(tick, 0);
    this.label(this.play, "pause", "pause", "Pause");
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.label(this.play, "play", "play", "Play");
  }

  label(button, picture, words, label) {
    const parts = [ICONS[picture] ? icon(picture) : "", words && element("span", {}, words)];
    button.replaceChildren(...(picture === "next" ? parts.reverse() : parts).filter(Boolean));
    button.title = label;
    button.setAttribute("aria-label", label);
  }

  // A button that could lose the focus by being disabled would take the keyboard with it.
  disable(button, yes) {
    button.setAttribute("aria-disabled", String(yes));
  }

  update(speak = true) {
    const { data, times, k, whole, drawing } = this;
    const back = k > times.ends;
    const id = whole || !k ? null : back ? data.backward[k - times.ends - 1] : data.forward[k - 1];
    this.frame.classList.toggle("turned", back);
    drawing.svg.classList.toggle("turned", back);
    this.paintNodes(back);
    this.paintEdges(back, id);
    const box = id && drawing.boxOf(id);
    if (box) {
      box.classList.add("current");
      if (speak) this.reveal(box);
    }
    this.forward.setAttribute("aria-pressed", String(whole && !back));
    this.backward.setAttribute("aria-pressed", String(whole && back));
    for (const at of [this.reset, this.previous]) this.disable(at, !whole && k === 0);
    for (const at of [this.next, this.finish]) this.disable(at, !whole && k === this.last);
    this.slider.value = k;
    const where = back ? `backward ${k - times.ends} / ${data.backward.length}` : `forward ${k} / ${times.ends}`;
    this.status.textContent = whole ? (back ? "whole backward pass" : "whole forward pass") : k ? where : "start";
    this.slider.setAttribute("aria-valuetext", this.status.textContent);
    this.host.dataset.step = whole ? "whole" : k;
    this.tellStep(id, back);
    if (speak && !(this.timer && Number(this.speed.value) > 1)) this.voice.textContent = whole ? this.status.textContent : spoken(data, times, k);
  }

  tellStep(id, back) {
    const { data, times, k } = this;
    if (id) return this.panel.replaceChildren(...(back ? backwardStep : forwardStep)(data, times, k).filter(Boolean));
    const counts = `${count(times.ends, "operation")} forward` + (this.hasBack ? `, ${data.backward.length} backward` : "");
    const line = element("div", { className: "heading" }, element("b", {}, data.title || "graph"), element("span", { className: "faint" }, counts));
    const summary = this.whole ? glance(data, times, back) : [];
    return this.panel.replaceChildren(line, ...summary.filter(Boolean), element("div", { className: "faint hint" }, HINT));
  }

  // A box that stands for several nodes is reached with the first of them, in either pass. In the backward pass a box is
  // awake as soon as a contribution has come in, and turned when its own pullback has run or its last contribution is there.
  paintNodes(back) {
    const { times, k, whole, drawing, data } = this;
    const reached = new Set(), awake = new Set(), known = new Set();
    for (const id of Object.keys(data.nodes)) {
      const box = drawing.boxOf(id);
      known.add(box);
      if (box && (back ? times.backward : times.forward)(id) <= k) reached.add(box);
    }
    if (back)
      for (const [e, edge] of Object.entries(data.edges)) if (edge.flow && this.pulledAt(e) <= k) awake.add(drawing.boxOf(edge.from));
    for (const { id, part, copy } of drawing.groups) {
      if (!part.classList.contains("node")) continue;
      const box = drawing.parts.get(id), own = back && copy && data.edges[copy];
      const here = own ? this.pulledAt(copy) <= k : reached.has(box) || !known.has(box); // what is only summed up is always there
      part.classList.remove("current");
      part.classList.toggle("pending", !whole && !here && (Boolean(own) || !awake.has(box)));
      part.classList.toggle("flipped", back && part.classList.contains("both") && (whole || here));
    }
  }

  paintEdges(back, id) {
    const { times, k, whole, drawing, data } = this;
    for (const { part, ids } of drawing.edges) {
      const known = ids.filter((e) => data.edges[e]);
      const flowing = known.filter((e) => data.edges[e].flow);
      const there = !known.length || known.some((e) => times.forward(data.edges[e].to) <= k);
      const turned = back && (whole || !known.length || flowing.some((e) => this.pulledAt(e) <= k));
      const active = Boolean(id) && (back ? flowing : known).some((e) => data.edges[e].to === id);
      part.classList.toggle("flipped", turned && part.classList.contains("both"));
      part.classList.toggle("pending", !whole && (back ? !turned : !there));
      part.classList.toggle("active", active);
    }
  }

  // A named result at the end is no step: its edge turns when the seed is put in.
  pulledAt(e) {
    const time = this.times.backward(this.data.edges[e].to);
    return time === Infinity ? this.times.ends + 1 : time;
  }

  // Scroll the stage, and never the page.
  reveal(box) {
    const stage = this.stage.getBoundingClientRect(), rect = box.getBoundingClientRect();
    for (const [low, high, scroll] of [["left", "right", "scrollLeft"], ["top", "bottom", "scrollTop"]]) {
      const margin = Math.min(60, (stage[high] - stage[low]) / 4);
      if (rect[low] < stage[low] + margin) this.stage[scroll] -= stage[low] + margin - rect[low];
      else if (rect[high] > stage[high] - margin) this.stage[scroll] += rect[high] - stage[high] + margin;
    }
  }

  // ---------------------------------------------------------------------------------------------------- hover, focus, keys

  tell(id, part) {
    if (!part.classList.contains("node")) return;
    this.tip.replaceChildren(...card(this.data, this.times, id).filter(Boolean));
    this.tip.hidden = false;
    const frame = this.frame.getBoundingClientRect(), box = part.getBoundingClientRect(), tip = this.tip.getBoundingClientRect();
    const left = box.left - frame.left + box.width / 2 - tip.width / 2;
    const below = box.bottom - frame.top + 8, above = box.top - frame.top - tip.height - 8;
    this.tip.style.left = `${Math.max(4, Math.min(left, frame.width - tip.width - 4))}px`;
    this.tip.style.top = `${below + tip.height > frame.height && above > 0 ? above : below}px`;
  }

  hide() {
    this.tip.hidden = true;
  }

  // Nodes in the order of execution, leaves where they are first used: the order in which ↑ and ↓ walk.
  ordered() {
    const place = (id) => {
      if (this.data.modules[id]) return Math.min(...this.data.forward.filter((n) => this.inside(n, id)).map(this.times.forward)) - 0.7;
      const used = (this.times.outOf.get(id) || []).map((e) => this.times.forward(this.data.edges[e].to) - 0.5);
      return this.times.forward(id) || Math.min(Infinity, ...used);
    };
    if (!this.drawing.order) {
      const placed = this.drawing.groups.map(({ id, part }) => [place(id), part]);
      this.drawing.order = placed.sort((a, b) => a[0] - b[0]).map(([, part]) => part);
    }
    return this.drawing.order;
  }

  inside(id, module) {
    for (let m = this.data.nodes[id].module; m; m = (this.data.modules[m] || {}).parent) if (m === module) return true;
    return false;
  }

  // One stop of the tab key for the whole graph.
  rove(part, focus) {
    if (!part) return;
    if (this.stop_ && this.stop_ !== part) this.stop_.setAttribute("tabindex", "-1");
    part.setAttribute("tabindex", "0");
    this.stop_ = part;
    if (focus) part.focus({ preventScroll: true });
  }

  walk(by) {
    const parts = this.ordered(), at = parts.indexOf(this.host.shadowRoot.activeElement);
    const part = parts[at < 0 ? (by > 0 ? 0 : parts.length - 1) : (at + by + parts.length) % parts.length];
    this.reveal(part);
    this.rove(part, true);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inControl = event.target.closest("select, input");
    const onButton = event.target.closest("button, [role=button]");
    const chosen = () => this.choose(event.target.getAttribute("data-node") || event.target.getAttribute("data-module"));
    const acts = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => this.go(0),
      End: () => this.go(this.last),
      ArrowDown: () => this.walk(1),
      ArrowUp: () => this.walk(-1),
      f: () => this.pass(false),
      b: () => this.pass(true),
      Escape: () => (this.stop(), this.hide()),
      " ": () => this.toggle(),
    };
    if (onButton && onButton.tagName !== "BUTTON") acts.Enter = chosen;
    const native = inControl ? !["f", "b", "Escape"].includes(event.key) : onButton && onButton.tagName === "BUTTON" && event.key === " ";
    if (!(event.key in acts)) return;
    event.stopPropagation(); // the notebook has meanings of its own for these keys
    if (native) return;
    event.preventDefault();
    acts[event.key]();
  }

  // ---------------------------------------------------------------------------------------------------- size and theme

  resize() {
    const natural = this.drawing ? parseFloat(this.drawing.svg.getAttribute("width")) : 0;
    const room = this.stage.clientWidth - 2;
    if (!natural || room <= 0) return;
    const ratio = this.zoom || Math.max(0.62, Math.min(1.15, room / natural));
    this.ratio = ratio;
    this.drawing.svg.style.width = `${natural * ratio}px`;
    this.drawing.svg.style.height = "auto";
  }

  magnify(by) {
    this.zoom = by && Math.max(0.2, Math.min(4, (this.zoom || this.ratio) * by));
    this.resize();
  }

  watchTheme() {
    this.choice = { lecture: "light", dark: "dark", print: "light" }[this.data.theme] || "auto";
    this.media = window.matchMedia ? matchMedia("(prefers-color-scheme: dark)") : null;
    const self = new WeakRef(this); // the window outlives a figure whose cell has been run again
    const repaint = () => self.deref() && self.deref().paint();
    if (this.media) this.media.addEventListener("change", repaint);
    new MutationObserver(repaint).observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "data-vscode-theme-kind"] });
    this.paint();
  }

  // What the notebook says, else what the system says.
  surroundings() {
    const body = document.body;
    if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "true" ? "light" : "dark";
    if (/vscode-(dark|light|high-contrast)/.test(body.className)) return /vscode-light|contrast-light/.test(body.className) ? "light" : "dark";
    return this.media && this.media.matches ? "dark" : "light";
  }

  paint() {
    const theme = this.choice === "auto" ? this.surroundings() : this.choice;
    this.host.dataset.theme = theme;
    this.label(this.theme, this.choice, "", `Theme: ${this.choice}`);
    if (document.body.dataset.agPage) document.body.dataset.agPage = theme;
  }

  nextTheme() {
    this.choice = { auto: "light", light: "dark", dark: "auto" }[this.choice];
    this.paint();
  }
}

// Notebooks run the script where it stands, or take it out and run it at the end of the output; ids may occur twice on a page.
function findHost(script, token) {
  const selector = `[data-ag-picture="${token}"]:not([data-ready])`;
  for (let at = script && script.parentNode; at; at = at.parentNode) {
    if (at.matches && at.matches(selector)) return at;
    const found = at.querySelector && at.querySelector(selector);
    if (found) return found;
  }
  return document.querySelector(selector);
}

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function unpack(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// The first picture is not sent twice: it is taken from the image that stands there already.
async function upgrade(script, token, packed, css) {
  const host = findHost(script, token);
  const image = host && host.querySelector("img");
  if (!image || !host.attachShadow || host.shadowRoot) return;
  host.dataset.ready = ""; // taken, before anything is waited for
  const data = await unpack(packed);
  data.views[0][data.direction] = new TextDecoder().decode(bytesOf(image.src.split(",")[1]));
  host.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab keeps its keys to itself here
  host.setAttribute("role", "figure");
  host.setAttribute("aria-label", data.alt);
  new Figure(host, data, css);
}
