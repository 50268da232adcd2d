// The figure: controls, steps, keyboard and themes around the stage; and how it takes the place of the image.

const SEARCH = "Search: a name, a shape as (64, 20), > 1e3, gradient < 1e-6, nan";
const HINT = "← → step · space plays · f b whole passes · home end · ↑ ↓ walk over the nodes · / searches";

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

class Figure extends Stage {
  constructor(host, data, css) {
    super(host, data);
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
      button("backward", "backward", this.hasBack ? "Show the whole backward pass" : "There is no backward pass to show", () => this.pass(true)),
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
    this.query = element("input", { type: "search", className: "query", placeholder: "search", "aria-label": SEARCH, title: SEARCH });
    this.query.oninput = () => this.search();
    this.query.addEventListener("keydown", (event) => event.key === "Enter" && this.nextHit(event.shiftKey ? -1 : 1));
    this.found = element("span", { className: "found", role: "status" });
    const looks = group("view");
    if (data.views.length > 1) {
      looks.append(button("close", "", "Collapse all modules", () => this.showExtreme(1)));
      looks.append(button("open", "", "Expand all modules", () => this.showExtreme(-1)));
    }
    looks.append(button("smaller", "", "Smaller", () => this.magnify(0.8)));
    looks.append(button("fit", "fit", "Fit the width", () => this.magnify(0)));
    looks.append(button("larger", "", "Larger", () => this.magnify(1.25)));
    looks.append(button("theme", "", "Theme", () => this.nextTheme()));
    const bar = element("div", { className: "bar", role: "toolbar", "aria-label": "Passes and steps" }, passes, stepping, this.slider, this.status, this.speed, this.query, this.found, looks);
    this.stage = element("div", { className: "stage", tabIndex: -1 });
    this.panel = element("div", { className: "panel" });
    this.tip = element("div", { className: "tip", role: "tooltip", hidden: true });
    this.voice = element("div", { className: "voice", "aria-live": "polite", "aria-atomic": "true" });
    const note = data.note ? element("p", { className: "note" }, data.note) : null;
    this.frame = element("div", { className: "frame" }, bar, note, this.stage, this.panel, this.tip, this.voice);
    this.frame.addEventListener("keydown", (event) => this.key(event));
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
    this.markHits();
    if (speak && !(this.timer && Number(this.speed.value) > 1)) this.voice.textContent = whole ? this.status.textContent : spoken(data, times, k);
  }

  tellStep(id, back) {
    const { data, times, k } = this;
    if (id) return this.panel.replaceChildren(...(back ? backwardStep : forwardStep)(data, times, k).filter(Boolean));
    const counts = `${count(times.ends, "operation")} forward` + (this.hasBack ? `, ${data.backward.length} backward` : "");
    const line = element("div", { className: "heading" }, element("b", {}, data.title || "graph"), element("span", { className: "faint" }, counts));
    const summary = this.whole ? glance(data, times, back) : [];
    if (this.whole && !this.hasBack) summary.push(...glance(data, times, true)); // what an earlier sweep has left
    return this.panel.replaceChildren(line, ...summary.filter(Boolean), element("div", { className: "faint hint" }, HINT));
  }

  // ---------------------------------------------------------------------------------------------------- search

  search() {
    const nodes = Object.entries(this.data.nodes), test = matcher(this.data, this.query.value);
    this.hits = test && nodes.filter(([, node]) => test(node)).map(([id]) => id);
    this.hit = -1;
    this.found.textContent = test ? `${this.hits.length} found` : "";
    this.markHits();
  }

  // Of nodes in closed modules the module is marked.
  markHits() {
    const { drawing, hits } = this;
    const boxes = new Set((hits || []).map((id) => drawing.boxOf(id)));
    drawing.svg.classList.toggle("searching", Boolean(hits));
    for (const { part, id } of drawing.groups) part.classList.toggle("hit", boxes.has(drawing.parts.get(id)));
  }

  nextHit(by) {
    const boxes = [...new Set((this.hits || []).map((id) => this.drawing.boxOf(id)))].filter(Boolean);
    if (!boxes.length) return;
    this.hit = (Math.max(this.hit, by > 0 ? -1 : 0) + by + boxes.length) % boxes.length;
    this.reveal(boxes[this.hit]);
    this.rove(boxes[this.hit], false);
    this.found.textContent = `${this.hit + 1} of ${boxes.length}`;
    this.voice.textContent = boxes[this.hit].getAttribute("aria-label");
  }

  // ---------------------------------------------------------------------------------------------------- the keyboard

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === this.query && event.key !== "Escape") return event.stopPropagation(); // letters are words here
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
      "/": () => this.query.focus(),
      Escape: () => (this.stop(), this.hide(), this.query.value && ((this.query.value = ""), this.search())),
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

  // ---------------------------------------------------------------------------------------------------- theme

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
