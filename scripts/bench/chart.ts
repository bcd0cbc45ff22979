/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 56;
const BOTTOM = 40;
const TOP = 36;
const RIGHT = 150;
const COLOURS = ['#1a6', '#16a', '#a61', '#a16', '#61a', '#666'];

/** Draws lines over a number of containers as SVG: the places on the x axis are equally far apart, whatever their numbers. */
export function drawChart(title: string, unit: string, lines: readonly Line[]): string {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const top = niceTop(Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y))));
  const placeX = (x: number): number =>
    LEFT + (xs.indexOf(x) * (WIDTH - LEFT - RIGHT)) / Math.max(xs.length - 1, 1);
  const placeY = (y: number): number => HEIGHT - BOTTOM - (y / top) * (HEIGHT - BOTTOM - TOP);
  const text = (x: number, y: number, words: string, anchor = 'start'): string =>
    `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${words}</text>`;
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 20, title),
    ...marks.flatMap((mark) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(placeY(mark))}" y2="${round(placeY(mark))}" stroke="#ddd"/>`,
      text(LEFT - 6, placeY(mark) + 4, `${round(mark)}`, 'end'),
    ]),
    text(LEFT - 40, TOP - 8, unit),
    ...xs.map((x) => text(placeX(x), HEIGHT - BOTTOM + 16, x.toLocaleString('en'), 'middle')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'containers there already', 'middle'),
    ...lines.flatMap(({ name, points }, i) => {
      const colour = COLOURS[i % COLOURS.length] ?? '#000';
      const places = points.map(({ x, y }) => `${round(placeX(x))},${round(placeY(y))}`);
      const end = points.at(-1);
      return [
        `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...places.map(
          (place) =>
            `<circle cx="${place.split(',')[0]}" cy="${place.split(',')[1]}" r="3" fill="${colour}"/>`,
        ),
        end === undefined ? '' : text(placeX(end.x) + 8, placeY(end.y) + 4, name),
      ];
    }),
    '</svg>',
    '',
  ].join('\n');
}

function niceTop(most: number): number {
  const step = 10 ** Math.floor(Math.log10(most));
  return Math.ceil(most / step) * step;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
