const panels = [...document.querySelectorAll('section')];
const marked = panel => [...panel.querySelectorAll('[data-n]')];
const byNode = new Map();
for (const panel of panels)
  for (const one of marked(panel))
    for (const node of one.dataset.n.split(' '))
      byNode.set(node, [...(byNode.get(node) ?? []), one]);
let lit = new Set();

function clear() {
  for (const one of lit) one.classList.remove('lit', 'chosen');
  lit = new Set();
}

// Lights up what a line became, and what it came from, in every panel.
function choose(line) {
  clear();
  for (const node of line.dataset.n.split(' ')) for (const one of byNode.get(node)) lit.add(one);
  for (const one of lit) one.classList.add('lit');
  line.classList.add('chosen');
  const counts = panels.map(panel => {
    const own = marked(panel).filter(one => lit.has(one));
    const first = panel.contains(line) ? line : own[0];
    if (first) {
      const [outer, inner] = [panel.getBoundingClientRect(), first.getBoundingClientRect()];
      const near = inner.top > outer.top + 40 && inner.bottom < outer.bottom - 10;
      if (!near) panel.scrollTop += inner.top - outer.top - outer.height / 3;
      if (panel.id === 'graph') panel.scrollLeft += inner.left - outer.left - 60;
    }
    return `${panel.id} ${own.length}`;
  });
  document.getElementById('status').textContent = 'lines that belong together: ' + counts.join(', ');
  const panel = line.closest('section');
  history.replaceState(null, '', `#${panel.id}:${marked(panel).indexOf(line)}`);
}

for (const panel of panels) {
  panel.addEventListener('click', event => {
    const line = event.target.closest('[data-n]');
    if (line) choose(line);
  });
  panel.addEventListener('keydown', event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const lines = marked(panel);
    const at = lines.findIndex(one => one.classList.contains('chosen'));
    const from = at < 0 ? lines.findIndex(one => one.classList.contains('lit')) - step : at;
    choose(lines[Math.min(Math.max(from + step, 0), lines.length - 1)]);
  });
}
addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  clear();
  document.getElementById('status').textContent = '';
});
const asked = location.hash.slice(1).split(':');
const first = panels.find(panel => panel.id === asked[0]);
if (first) choose(marked(first)[asked[1]]);
