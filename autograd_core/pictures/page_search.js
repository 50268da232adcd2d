// Search: what somebody types, and which nodes it names; the same words as in `search.py`.

const COMPARED = /^(value|gradient)?\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)$/i;

// The size of the largest entry; NaN if there is none, or one that is not finite.
function largest(stats) {
  if (!stats || typeof stats.min !== "number" || typeof stats.max !== "number") return NaN;
  return Math.max(Math.abs(stats.min), Math.abs(stats.max));
}

function matcher(data, words) {
  const asked = words.trim().toLowerCase();
  if (!asked) return null;
  if (["nan", "inf", "infinite"].includes(asked)) return (node) => [node.value, node.gradient].some((stats) => stats && stats.nonfinite);
  const compared = asked.match(COMPARED);
  if (compared) {
    const [, what, sign, text] = compared, limit = Number(text);
    const holds = { "<": (x) => x < limit, "<=": (x) => x <= limit, ">": (x) => x > limit, ">=": (x) => x >= limit }[sign];
    return (node) => (what ? [node[what]] : [node.value, node.gradient]).some((stats) => holds(largest(stats)));
  }
  if (/^\(\s*(\d+\s*(,\s*\d+\s*)*,?)?\s*\)$/.test(asked)) {
    const shape = (asked.match(/\d+/g) || []).map(Number);
    return (node) => node.shape && node.shape.length === shape.length && node.shape.every((n, i) => n === shape[i]);
  }
  const inside = (id) => (id ? [data.modules[id].name, ...inside(data.modules[id].parent)] : []);
  return (node) => [node.name, node.op, node.symbol, ...inside(node.module)].some((text) => text && text.toLowerCase().includes(asked));
}
