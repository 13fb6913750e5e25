// giza explore: chooses a pixel and the bins in use, and shows what was worked out for them.
'use strict';
document.documentElement.classList.add('js');
const data = JSON.parse(document.querySelector('body > script[type="application/json"]').textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const bin = (size) => `${size}×${size}`;
const make = (tag, kind, text) => {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  return element;
};
// A name from a file, with its colour before it.
const named = (label) => {
  const whole = document.createDocumentFragment(), swatch = make('i', 'swatch');
  swatch.style.background = data.colors[label];
  whole.append(swatch, make('bdi', '', data.names[label]));
  return whole;
};
const percent = (share) => `${(share * 100).toFixed(share > 0.9995 || share < 0.0005 ? 2 : 1)} %`;
const signed = (value) => `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(2)}`;

// Pictures as numbers.
const pixelsOf = async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = make('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
};
const kept = new Map();
const remembered = (address) => {
  if (!kept.has(address)) kept.set(address, pixelsOf(address));
  return kept.get(address);
};

// From nothing to the most: colour and opacity over the darkened picture.
const heat = [[0, 70, 14, 120, 0], [0.1, 100, 24, 150, 0.2], [0.32, 196, 44, 118, 0.5], [0.62, 252, 132, 56, 0.72],
  [1, 255, 246, 186, 0.88]];
const heatOf = (share) => {
  let i = 1;
  while (i < heat.length - 1 && share > heat[i][0]) ++i;
  const [from, to] = [heat[i - 1], heat[i]], part = (share - from[0]) / (to[0] - from[0]);
  return from.slice(1).map((value, c) => value + part * (to[c + 1] - value));
};
const heats = Array.from({ length: 256 }, (_, grey) => heatOf(grey / 255));
const scale = document.querySelector('.scale i');
if (scale) {
  const ground = 64;
  scale.style.background = `linear-gradient(90deg, ${Array.from({ length: 17 }, (_, i) => heats[Math.min(255, i * 16)])
    .map(([r, g, b, a]) => `rgb(${[r, g, b].map((value) => Math.round(value * a + ground * (1 - a)))})`)})`;
}

// What is chosen.
const states = data.networks.map((network) => ({ bins: network.bins.map(() => '1'), mode: '0' }));
const keyOf = (n) => states[n].bins.map((on) => on === '1' ? '1' : on === 'x' ? states[n].mode : on).join('');
const stateOf = (n) => data.networks[n].states[keyOf(n)];
const truthOf = (point) => data.points[point].length > 2 ? data.points[point][2] : null;

// Where to begin: where the last network is right and the first is wrong, or else where they differ most.
const interest = (point) => {
  const tops = data.networks.map((_, n) => stateOf(n).points[point].top[0]), truth = truthOf(point);
  const first = tops[0], last = tops[tops.length - 1];
  if (tops.length < 2 || first[0] === last[0]) return 0;
  return (truth === null || last[0] === truth ? 10 : 1) * (first[1] + last[1]);
};
const middle = Math.floor(data.rows / 2) * data.columns + Math.floor(data.columns / 2);
let chosen = data.points.reduce((best, _, point) => interest(point) > interest(best) ? point : best, middle);

// The fields.
const base = make('canvas');
const drawn = [];
const canvases = all('#fields canvas');
const prepare = async () => {
  const picture = await pixelsOf(document.querySelector('[data-kind=picture] img').src);
  for (let i = 0; i < picture.data.length; i += 4) {
    const grey = 0.2126 * picture.data[i] + 0.7152 * picture.data[i + 1] + 0.0722 * picture.data[i + 2];
    picture.data[i] = picture.data[i + 1] = picture.data[i + 2] = 0.6 * grey;
  }
  base.width = picture.width;
  base.height = picture.height;
  base.getContext('2d').putImageData(picture, 0, 0);
};
const cut = (atlas, point) => {
  const width = atlas.width / data.columns, height = atlas.height / data.rows;
  const left = (point % data.columns) * width, top = Math.floor(point / data.columns) * height;
  const tile = new ImageData(width, height);
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      const [r, g, b, a] = heats[atlas.data[((top + y) * atlas.width + left + x) * 4]];
      tile.data.set([r, g, b, 255 * a], (y * width + x) * 4);
    }
  }
  const canvas = make('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d').putImageData(tile, 0, 0);
  return canvas;
};
const ring = (context, x, y, radius, width, dashes) => {
  for (const [color, wider] of [['rgba(0,0,0,.75)', 2], ['#fff', 0]]) {
    context.beginPath();
    context.setLineDash(dashes);
    context.lineWidth = width + wider;
    context.strokeStyle = color;
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
};
const draw = async (n) => {
  const turn = drawn[n] = (drawn[n] ?? 0) + 1;
  const state = stateOf(n), canvas = canvases[n], point = state.points[chosen];
  const tile = state.fields ? cut(await remembered(state.fields), chosen) : null;
  if (turn !== drawn[n]) return;
  const zoom = Math.max(1, Math.ceil(1100 / Math.max(data.width, data.height)));
  canvas.width = data.width * zoom;
  canvas.height = data.height * zoom;
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(base, 0, 0, canvas.width, canvas.height);
  // Cells at the edge may stand out of the picture.
  if (tile) context.drawImage(tile, 0, 0, tile.width * data.cell * zoom, tile.height * data.cell * zoom);
  const shown = canvas.width / (canvas.getBoundingClientRect().width || canvas.width);
  for (const [x, y] of data.points) {
    context.fillStyle = 'rgba(255,255,255,.3)';
    context.fillRect((x + 0.5) * zoom - shown / 2, (y + 0.5) * zoom - shown / 2, 1.4 * shown, 1.4 * shown);
  }
  const [x, y] = data.points[chosen].slice(0, 2).map((at) => (at + 0.5) * zoom);
  if (point.reach) {
    ring(context, x, y, point.reach[0] * zoom, 1.6 * shown, []);
    ring(context, x, y, point.reach[1] * zoom, 1.6 * shown, [6 * shown, 5 * shown]);
  }
  ring(context, x, y, 4.5 * shown, 2.2 * shown, []);
  canvas.dataset.shown = `${chosen} ${keyOf(n)}`;
};

const nameOfState = (n) => {
  const { bins, mode } = states[n], sizes = data.networks[n].bins;
  const missing = sizes.filter((_, b) => bins[b] !== '1');
  if (missing.length === 0) return '';
  const swapped = mode === 's' || bins.includes('s');
  return `, ${missing.map(bin).join(', ')} ${swapped ? 'swapped' : 'off'}`;
};
const say = () => {
  const [x, y] = data.points[chosen], truth = truthOf(chosen);
  const truly = truth === null ? '' : `, truth ${truth < 0 ? 'ignored' : data.names[truth]}`;
  document.getElementById('said').textContent = `Pixel x ${x}, y ${y}${truly}. ` + data.networks.map((network, n) => {
    const [label, chance] = stateOf(n).points[chosen].top[0];
    return `${network.title}${nameOfState(n)}: ${data.names[label]}, ${percent(chance)}.`;
  }).join(' ');
};
const verdict = (n) => {
  const place = document.querySelector(`#fields [data-network="${n}"] .verdict`);
  const [label, chance] = stateOf(n).points[chosen].top[0], truth = truthOf(chosen);
  const name = make('b');
  name.append(named(label));
  place.replaceChildren(name, ` ${percent(chance)}`);
  const judged = truth === label ? 'right' : 'wrong';
  if (truth !== null && truth >= 0) place.append(make('span', judged, judged));
  const reach = stateOf(n).points[chosen].reach;
  document.querySelector(`#fields [data-network="${n}"] .reach`).textContent = reach
    ? `Half of the influence within ${reach[0]} pixels, nine tenths within ${reach[1]}.`
    : stateOf(n).fields ? 'No pixel has any influence here.' : 'The receptive field was not worked out for these bins.';
};

const chances = (n) => {
  const rows = stateOf(n).points[chosen].top.map(([label, chance]) => {
    const row = make('div', 'chance'), name = make('span', 'name'), rail = make('span', 'rail'), bar = make('i');
    name.append(named(label));
    name.title = data.names[label];
    bar.style.width = `${chance * 100}%`;
    rail.append(bar);
    row.append(name, rail, make('span', 'n', percent(chance)));
    return row;
  });
  document.querySelector(`#scores [data-network="${n}"] .chances`).replaceChildren(...rows);
};
const sums = (n) => {
  const network = data.networks[n];
  if (!network.parts) return;
  const { top, parts } = stateOf(n).points[chosen], two = parts.length > 1;
  const low = Math.min(0, ...parts[0]), high = Math.max(0, ...parts[0]), span = high - low || 1;
  const names = ['features', ...network.bins.map(bin), 'constants'];
  const table = make('table'), head = table.createTHead().insertRow(), body = table.createTBody();
  const heading = (row, kind, ...content) => {
    const cell = make('th', kind);
    cell.append(...content);
    row.append(cell);
    return cell;
  };
  heading(head, 'of', 'adds').scope = 'col';
  heading(head, 'axis-cell', '').setAttribute('aria-hidden', 'true');
  heading(head, 'figure', make('bdi', '', data.names[top[0][0]])).scope = 'col';
  if (two) {
    heading(head, 'figure', make('bdi', '', data.names[top[1][0]])).scope = 'col';
    heading(head, 'figure lead', 'lead').scope = 'col';
  }
  const fill = (row, name, values, rail) => {
    heading(row, 'of', name).scope = 'row';
    const axis = make('td', 'axis-cell');
    axis.setAttribute('aria-hidden', 'true');
    if (rail) axis.append(rail);
    row.append(axis, make('td', 'figure', signed(values[0])));
    if (!two) return;
    row.append(make('td', 'figure', signed(values[1])), make('td', 'figure lead', signed(values[0] - values[1])));
  };
  names.forEach((name, i) => {
    const row = body.insertRow(), value = parts[0][i], rail = make('div', 'rail2');
    const bar = make('i', value < 0 ? 'less' : '');
    rail.style.setProperty('--zero', `${-low / span * 100}%`);
    bar.style.left = `${(Math.min(value, 0) - low) / span * 100}%`;
    bar.style.width = `${Math.abs(value) / span * 100}%`;
    rail.append(bar);
    const key = i > 0 && i <= network.bins.length ? keyOf(n)[i - 1] : '1';
    if (key === '0') row.className = 'off';
    fill(row, key === 's' ? `${name} (swapped)` : name, parts.map((part) => part[i]), rail);
  });
  fill(table.createTFoot().insertRow(), 'score', top.slice(0, 2).map((score) => score[2]), null);
  document.querySelector(`#scores [data-network="${n}"] .sums`).replaceChildren(table);
};

// The pictures at the foot.
const views = all('.view');
for (const stage of views.map((view) => view.querySelector('.stage'))) stage.append(make('i', 'mark'));
const answers = () => {
  const [x, y] = data.points[chosen];
  for (const view of views) {
    const mark = view.querySelector('.mark');
    mark.style.left = `${(x + 0.5) / data.width * 100}%`;
    mark.style.top = `${(y + 0.5) / data.height * 100}%`;
    if (view.dataset.kind === 'answer') {
      const n = Number(view.dataset.network), image = view.querySelector('img');
      if (image.src !== stateOf(n).labels) image.src = stateOf(n).labels;
      view.querySelector('bdi').textContent = data.networks[n].title + nameOfState(n);
    }
  }
};
const classOf = new Map(data.colors.map((color, label) => [parseInt(color.slice(1), 16), label]));
const nearestClass = (r, g, b) => {
  const exact = classOf.get(r << 16 | g << 8 | b);
  if (exact !== undefined) return exact;
  // The grey of ignored pixels is far from them all; some browsers add a little noise to what scripts read.
  let best = -1, least = 12;
  for (const [color, label] of classOf) {
    const distance = Math.abs((color >> 16) - r) + Math.abs((color >> 8 & 255) - g) + Math.abs((color & 255) - b);
    if (distance < least) [best, least] = [label, distance];
  }
  return best;
};
const readout = async (x, y) => {
  const told = await Promise.all(views.filter((view) => view.dataset.kind !== 'picture').map(async (view) => {
    const pixels = await remembered(view.querySelector('img').src);
    const label = nearestClass(...pixels.data.slice((y * pixels.width + x) * 4, (y * pixels.width + x) * 4 + 3));
    return `${view.querySelector('bdi').textContent}: ${label < 0 ? 'ignored' : data.names[label]}`;
  }));
  document.getElementById('readout').textContent = [`x ${x}, y ${y}`, ...told].join(' · ');
};

const show = (only) => {
  data.networks.forEach((_, n) => {
    if (only !== undefined && only !== n) return;
    draw(n);
    verdict(n);
    chances(n);
    sums(n);
  });
  answers();
  say();
};
const choose = (point) => {
  if (point === chosen) return;
  chosen = point;
  show();
};
const nearest = (x, y) => data.points.reduce((best, [px, py], i) =>
  (px - x) ** 2 + (py - y) ** 2 < (data.points[best][0] - x) ** 2 + (data.points[best][1] - y) ** 2 ? i : best, 0);
const placeOf = (event, element) => {
  const box = element.getBoundingClientRect();
  return [[event.clientX - box.left, box.width, data.width], [event.clientY - box.top, box.height, data.height]]
    .map(([at, length, side]) => Math.min(side - 1, Math.max(0, Math.floor(at / length * side))));
};
for (const picture of [...canvases, ...all('.view .stage')]) {
  const follow = (event) => choose(nearest(...placeOf(event, picture)));
  picture.addEventListener('click', follow);
  picture.addEventListener('pointermove', (event) => {
    if (event.pointerType === 'mouse' && event.buttons & 1) follow(event);
  });
  picture.addEventListener('dragstart', (event) => event.preventDefault());
}
for (const stage of all('.view .stage')) {
  stage.addEventListener('pointermove', (event) => readout(...placeOf(event, stage)));
}
for (const canvas of canvases) {
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const column = chosen % data.columns + step[0], row = Math.floor(chosen / data.columns) + step[1];
    if (column >= 0 && column < data.columns && row >= 0 && row < data.rows) choose(row * data.columns + column);
  });
}

// The bins.
const buttons = all('.bins button');
const networkOf = (element) => Number(element.closest('[data-network]').dataset.network);
const press = (button, on) => {
  const n = networkOf(button);
  button.setAttribute('aria-pressed', String(on));
  states[n].bins[Number(button.dataset.bin)] = on ? '1' : 'x';
};
for (const button of buttons) {
  button.addEventListener('click', () => {
    press(button, button.getAttribute('aria-pressed') !== 'true');
    show(networkOf(button));
  });
}
for (const radio of all('.modes input')) {
  radio.addEventListener('change', () => {
    states[networkOf(radio)].mode = radio.value;
    show(networkOf(radio));
  });
}
for (const select of all('.switches select')) {
  select.addEventListener('change', () => {
    states[networkOf(select)].bins = [...select.value];
    show(networkOf(select));
  });
}
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select')) return;
  if (!/^[0-9]$/.test(event.key) || buttons.length === 0) return;
  if (event.key === '0') {
    for (const button of buttons) press(button, true);
    show();
  } else {
    buttons[Number(event.key) - 1]?.click();
  }
});
prepare().then(() => show());
let waiting = 0;
addEventListener('resize', () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => data.networks.forEach((_, n) => draw(n)));
});
