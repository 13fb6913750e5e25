// report.html: what JavaScript adds, sorting of tables and the values of curves under a pointer or the arrow keys.
'use strict';
document.documentElement.classList.add('js');

// Tables: a heading becomes a button; numbers sort downwards first, names upwards.
const valueOf = (row, column) => {
  const text = row.cells[column].dataset.v ?? row.cells[column].textContent;
  const number = Number(text);
  return text !== '' && !Number.isNaN(number) ? number : text;
};
const compare = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const body = table.tBodies[0], rows = [...body.rows];
      const before = head.getAttribute('aria-sort');
      const down = before ? before === 'ascending' : rows.length > 0 && typeof valueOf(rows[0], column) === 'number';
      rows.sort((a, b) => (down ? -1 : 1) * compare(valueOf(a, column), valueOf(b, column)));
      body.append(...rows);
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    });
  });
}

// Curves: the values nearest to the pointer, or to where the arrow keys have moved.
const shown = (value, percent) =>
  value === null ? '–' : percent ? (value * 100).toFixed(2) + ' %' : String(Number(value.toPrecision(4)));
for (const figure of document.querySelectorAll('figure.chart')) {
  const script = figure.querySelector('script'), output = figure.querySelector('output');
  if (!script || !output) continue;
  const data = JSON.parse(script.textContent), places = data.series[0].x;
  const pictures = [...figure.querySelectorAll('svg[data-axis]')];
  let index = places.length - 1;
  const show = (at) => {
    index = Math.min(Math.max(at, 0), places.length - 1);
    output.textContent = `${data.x} ${places[index]}: ` +
      data.series.map((one) => `${one.name} ${shown(one.y[index] ?? null, data.percent)}`).join(', ');
    for (const svg of pictures) {
      const [low, high, start, stop] = svg.dataset.axis.split(' ').map(Number);
      const x = start + (places[index] - low) / (high - low) * (stop - start);
      const cursor = svg.querySelector('.cursor');
      cursor.setAttribute('x1', x);
      cursor.setAttribute('x2', x);
      cursor.style.visibility = 'visible';
    }
  };
  const hide = () => {
    output.textContent = '';
    for (const svg of pictures) svg.querySelector('.cursor').style.visibility = 'hidden';
  };
  for (const svg of pictures) {
    svg.setAttribute('tabindex', '0');
    svg.addEventListener('pointermove', (event) => {
      const [low, high, start, stop] = svg.dataset.axis.split(' ').map(Number);
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      const wanted = low + (x - start) / (stop - start) * (high - low);
      let best = 0;
      places.forEach((place, i) => {
        if (Math.abs(place - wanted) < Math.abs(places[best] - wanted)) best = i;
      });
      show(best);
    });
    svg.addEventListener('pointerleave', hide);
    svg.addEventListener('focus', () => show(index));
    svg.addEventListener('blur', hide);
    svg.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(index + step);
    });
  }
}
