// The stage: the drawing that is shown, and how it looks after `k` steps, the one variable everything follows from.
// Steps 1..F are the forward pass, F+1..F+B the backward pass; `whole` shows a pass at a glance, with no step singled out.

class Stage {
  constructor(host, data) {
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
      this.name(part, id);
      part.addEventListener("pointerenter", () => this.tell(id, part));
      part.addEventListener("pointerleave", () => this.hide());
      part.addEventListener("focus", () => part.matches(":focus-visible") && this.tell(id, part));
      part.addEventListener("blur", () => this.hide());
      part.addEventListener("click", () => this.choose(id));
      const closed = drawing.collapsed.has(id), module = this.data.modules[id];
      const folds = module && module.opens !== false && viewWith(this.data, view, id, !closed);
      part.setAttribute("role", folds || !module ? "button" : "img");
      if (!folds) continue;
      part.classList.add("folds");
      part.setAttribute("aria-expanded", String(!closed));
      for (const name of part.querySelectorAll("text.name")) if (!/^[▸▾]/.test(name.textContent)) name.prepend(closed ? "▸ " : "▾ ");
    }
    return drawing;
  }

  // What can be read in a box, and what more there is to say.
  name(part, id) {
    const face = part.querySelector(part.classList.contains("flipped") ? ":scope > .back" : ":scope > .there");
    const read = [...face.querySelectorAll("text")].map((text) => text.textContent.trim()).filter(Boolean);
    part.setAttribute("aria-label", `${read.join(" ")}: ${described(this.data, id)}`);
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

  // ---------------------------------------------------------------------------------------------------- how it looks

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
      const flipped = back && part.classList.contains("both") && (whole || here);
      if (flipped !== part.classList.contains("flipped")) {
        part.classList.toggle("flipped", flipped);
        this.name(part, id);
      }
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

  resize() {
    const natural = this.drawing ? parseFloat(this.drawing.svg.getAttribute("width")) : 0;
    const room = this.stage.clientWidth - 10;
    if (!natural || room <= 0) return;
    const ratio = this.zoom || Math.max(0.86, Math.min(1.15, room / natural)); // notes of 14 pixels stay above 12
    this.ratio = ratio;
    this.drawing.svg.style.width = `${natural * ratio}px`;
    this.drawing.svg.style.height = "auto";
  }

  magnify(by) {
    this.zoom = by && Math.max(0.2, Math.min(4, (this.zoom || this.ratio) * by));
    this.resize();
  }

  // ---------------------------------------------------------------------------------------------------- hover and focus

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
    if (this.tabStop && this.tabStop !== part) this.tabStop.setAttribute("tabindex", "-1");
    part.setAttribute("tabindex", "0");
    this.tabStop = part;
    if (focus) part.focus({ preventScroll: true });
  }

  walk(by) {
    const parts = this.ordered(), at = parts.indexOf(this.host.shadowRoot.activeElement);
    const part = parts[at < 0 ? (by > 0 ? 0 : parts.length - 1) : (at + by + parts.length) % parts.length];
    this.reveal(part);
    this.rove(part, true);
  }
}
