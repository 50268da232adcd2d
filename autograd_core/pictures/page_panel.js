// What is said about a node or a step: numbers, histograms, the panel's rows, the tooltip, the sentence that is spoken.

// Four digits, as in the picture.
function number(value) {
  if (typeof value !== "number") return String(value ?? "").replace(/-/g, "−");
  const [digits, power] = value.toExponential(3).split("e"), p = Number(power);
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const far = p < -4 || p > 3;
  const text = far ? `${short(digits)}e${p < 0 ? "-" : "+"}${String(Math.abs(p)).padStart(2, "0")}` : short(value.toFixed(3 - p));
  return value ? text.replace(/-/g, "−") : "0";
}

const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const shapeOf = (node) => (node.shape ? (node.shape.length ? `(${node.shape.join(", ")}${node.shape.length === 1 ? "," : ""})` : "scalar") : "");

function histogram(stats, kind, width = 96, height = 26) {
  if (!stats || !stats.histogram || stats.n < 2) return null;
  const most = Math.max(1, ...stats.histogram), step = width / stats.histogram.length;
  const picture = vector("svg", { class: `histogram of-${kind.split(" ")[0]}`, width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.setAttribute("aria-label", `histogram of ${stats.n} entries from ${number(stats.min)} to ${number(stats.max)}`);
  stats.histogram.forEach((many, i) => {
    const tall = many ? Math.max(2, ((height - 2) * many) / most) : 0.75;
    picture.append(vector("rect", { x: i * step + 0.5, y: height - tall, width: step - 1, height: tall }));
  });
  return picture;
}

// "0.221", or what can be said of an array in a line.
function figures(stats) {
  if (!stats) return element("span", { className: "faint" }, "not kept");
  const line = element("span", { className: "figures" });
  const printed = stats.text !== null && stats.text !== undefined;
  if (printed) line.append(element("b", {}, stats.text));
  if (stats.n !== 1) line.append(element("span", {}, `‖·‖ ${number(stats.norm)}`));
  const ranged = !printed && stats.mean !== null && stats.mean !== undefined;
  if (ranged) line.append(element("span", {}, `mean ${number(stats.mean)}`), element("span", {}, `${number(stats.min)} … ${number(stats.max)}`));
  if (stats.nonfinite) line.append(element("span", { className: "warning" }, `⚠ ${stats.nonfinite} not finite`));
  return line;
}

const titleOf = (node) => node.name || node.op || node.role;
const slope = (data, node) => `∂${data.title || "output"}/∂${titleOf(node)}`;

function row(kind, label, name, formula, stats, extra, missing) {
  const cells = [element("th", { scope: "row" }, label), element("td", { className: "name" }, name)];
  cells.push(element("td", { className: "formula" }, formula || ""));
  const value = element("td", { className: "value" }, missing ? element("span", { className: "faint" }, missing) : figures(stats));
  if (extra) value.append(element("span", { className: "faint" }, extra));
  cells.push(value, element("td", { className: "bars" }, histogram(stats, kind)));
  return element("tr", { className: kind }, ...cells);
}

function heading(badge, kind, node, data, copy) {
  const path = [];
  for (let m = node.module; m; m = (data.modules[m] || {}).parent) path.unshift((data.modules[m] || {}).name || m);
  const line = element("div", { className: "heading" }, element("span", { className: `badge ${kind}` }, badge));
  line.append(element("b", {}, node.op || node.name || node.role));
  if (node.op && node.name) line.append(element("span", {}, node.name));
  line.append(element("span", { className: "faint" }, [shapeOf(node), node.dtype].filter(Boolean).join(" ")));
  if (path.length) line.append(element("span", { className: "faint" }, `in ${path.join(" › ")}`));
  if (copy) line.append(element("span", { className: "faint" }, copy));
  if (node.source) line.append(element("code", { className: "faint" }, node.source));
  return line;
}

const formulaLine = (text) => (text ? element("div", { className: "equation" }, text) : null);

// Contributions to the gradient of a node, in the order of the sweep; `until` leaves out those that come later.
function contributions(data, times, id, until = Infinity) {
  const found = (times.outOf.get(id) || []).filter((e) => data.edges[e].flow && times.backward(data.edges[e].to) <= until);
  return found.sort((a, b) => times.backward(data.edges[a].to) - times.backward(data.edges[b].to));
}

function forwardStep(data, times, k) {
  const id = data.forward[k - 1], node = data.nodes[id];
  const rows = (node.operands || []).map((operand, i) => {
    const from = data.nodes[operand];
    return from ? row("value", node.operands.length > 1 ? `operand ${i + 1}` : "operand", titleOf(from), shapeOf(from), from.value) : null;
  });
  rows.push(row("value result", "result", node.name || node.op, shapeOf(node), node.value));
  return [
    heading(`forward ${k} / ${times.ends}`, "forward", node, data, times.copies.get(id)),
    formulaLine(node.formula),
    element("table", {}, element("tbody", {}, ...rows.filter(Boolean))),
  ];
}

function backwardStep(data, times, k) {
  const id = data.backward[k - times.ends - 1], node = data.nodes[id];
  const came = contributions(data, times, id);
  const origin = came.length > 1 ? `sum of ${came.length} contributions` : came.length ? "" : "seed";
  const rows = [row("gradient", "arrives", slope(data, node), null, node.gradient, origin)];
  for (const edge of (times.into.get(id) || []).map((e) => ({ ...data.edges[e], id: e }))) {
    const target = data.nodes[edge.from];
    if (!target) continue;
    const pull = (node.pull || [])[edge.argument] || "";
    if (!edge.flow) {
      rows.push(row("gradient none", "sends to", titleOf(target), pull, null, "", target.why_none || "nothing flows"));
      continue;
    }
    const all = contributions(data, times, edge.from);
    const place = all.length > 1 ? `contribution ${all.indexOf(edge.id) + 1} of ${all.length}` : "";
    const stats = all.length === 1 && target.gradient ? target.gradient : edge.flow; // the only contribution is the gradient
    rows.push(row("gradient result", "sends to", titleOf(target), pull, stats, place));
  }
  return [
    heading(`backward ${k - times.ends} / ${data.backward.length}`, "backward", node, data, times.copies.get(id)),
    formulaLine(node.formula),
    element("table", {}, element("tbody", {}, ...rows)),
  ];
}

// Everything about one node: for the tooltip, and for the panel when a node is chosen that is no step.
function card(data, times, id) {
  const node = data.nodes[id];
  if (!node) {
    const module = data.modules[id] || {};
    const line = element("div", { className: "heading" }, element("b", {}, module.name || id));
    if (module.kind) line.append(element("span", {}, module.kind));
    return [line, element("div", { className: "faint" }, module.note || "")];
  }
  const many = contributions(data, times, id).length;
  const pulls = (node.pull || []).filter(Boolean).join(",  ");
  const rows = [row("value", "value", "", "", node.value)];
  if (node.gradient) rows.push(row("gradient", "gradient", "", "", node.gradient, many > 1 ? `sum of ${many}` : ""));
  else rows.push(row("gradient none", "gradient", "", "", null, "", node.why_none || "none"));
  if (node.accumulated) rows.push(row("gradient", ".grad", "", "", node.accumulated, "earlier sweeps added up"));
  return [
    heading(node.role, "role " + node.role, node, data),
    formulaLine(node.formula),
    pulls ? element("div", { className: "equation gradient" }, `backward:  ${pulls}`) : null,
    element("table", {}, element("tbody", {}, ...rows)),
  ];
}

// A pass at a glance: what came out of the forward pass, or the gradients that the backward pass has left at the leaves.
function glance(data, times, back, most = 5) {
  const nodes = Object.values(data.nodes);
  const ends = nodes.filter((node) => node.role === "output");
  if (!ends.length && times.ends) ends.push(data.nodes[data.forward[times.ends - 1]]);
  const leaves = nodes.filter((node) => node.gradient && ["parameter", "input"].includes(node.role));
  const shown = back ? leaves : ends;
  const rows = shown.slice(0, most).map((node) =>
    row(back ? "gradient result" : "value result", back ? node.role : "result", back ? slope(data, node) : titleOf(node), element("span", { className: "plain" }, shapeOf(node)), back ? node.gradient : node.value));
  const more = shown.length - most;
  const rest = more > 0 ? element("div", { className: "faint" }, `and ${more} more`) : null;
  return [element("table", {}, element("tbody", {}, ...rows)), rest];
}

function briefly(stats) {
  if (!stats) return "";
  return stats.n > 1 ? `norm ${number(stats.norm)}` : stats.text || number(stats.mean);
}

function spoken(data, times, k) {
  if (k === 0) return "Start: no operation has run.";
  const back = k > times.ends;
  const id = back ? data.backward[k - times.ends - 1] : data.forward[k - 1], node = data.nodes[id];
  if (!back) return `Forward ${k} of ${times.ends}: ${[node.op, node.formula, briefly(node.value)].filter(Boolean).join(", ")}.`;
  const given = (times.into.get(id) || []).filter((e) => data.edges[e].flow).map((e) => data.edges[e]);
  const to = given.map((edge) => `${titleOf(data.nodes[edge.from])}: ${briefly(edge.flow)}`);
  return `Backward ${k - times.ends} of ${data.backward.length}: ${node.op || titleOf(node)} sends ${to.join("; ") || "nothing"}.`;
}

function described(data, id) {
  const node = data.nodes[id];
  if (!node) return `module ${(data.modules[id] || {}).name || id}, ${(data.modules[id] || {}).note || ""}`;
  const parts = [node.op, node.name, node.role, shapeOf(node), node.value ? briefly(node.value) : ""];
  if (node.gradient) parts.push(`gradient ${briefly(node.gradient)}`);
  return parts.filter(Boolean).join(", ");
}
