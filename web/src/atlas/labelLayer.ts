// Names over the map, on a canvas of their own: sigma's would cover one another on small maps.

import type Sigma from "sigma";
import { Grid, type View } from "./grid";
import { type Candidate, LABEL_HEIGHT, placeLabels } from "./labels";

const FONT = "12px Geist, Arial, sans-serif";
/** The most important points within the view that are tried; enough to fill any screen. */
const MOST_TRIED = 2000;

interface Named {
  palette: { text: string; halo: string };
  points: Float32Array;
  names: readonly string[];
  sizes: readonly number[];
  /** 1 for each name that stands before its point. */
  before: Uint8Array;
  hidden: Uint8Array;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the graph's attributes are
type AnySigma = Sigma<any, any, any>;

export class LabelLayer {
  readonly #canvas = document.createElement("canvas");
  readonly #pen: CanvasRenderingContext2D | null;
  readonly #sigma: AnySigma;
  readonly #named: Named;
  readonly #grid: Grid;
  readonly #widths = new Map<number, number>();
  readonly #draw = () => this.#drawNow();
  #hovered: number | null = null;
  #marked: number | null = null;

  constructor(container: HTMLElement, sigma: AnySigma, named: Named) {
    this.#sigma = sigma;
    this.#named = named;
    this.#grid = new Grid(named.points, named.sizes);
    Object.assign(this.#canvas.style, { position: "absolute", inset: "0", pointerEvents: "none" });
    container.append(this.#canvas);
    this.#pen = this.#canvas.getContext("2d");
    sigma.on("afterRender", this.#draw);
  }

  hover(index: number | null): void {
    this.#hovered = index;
    this.#drawNow();
  }

  mark(index: number | null): void {
    this.#marked = index;
    this.#drawNow();
  }

  close(): void {
    this.#sigma.off("afterRender", this.#draw);
    this.#canvas.remove();
  }

  #drawNow(): void {
    const pen = this.#pen;
    if (!pen) return;
    const { width, height } = this.#sigma.getDimensions();
    const scale = devicePixelRatio;
    if (this.#canvas.width !== width * scale || this.#canvas.height !== height * scale) {
      Object.assign(this.#canvas, { width: width * scale, height: height * scale });
      Object.assign(this.#canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    for (const { node, left, top } of placeLabels(this.#candidates(pen), width, height)) {
      const index = Number(node);
      const first = index === this.#hovered || index === this.#marked;
      pen.font = first ? `600 ${FONT}` : FONT;
      pen.strokeStyle = this.#named.palette.halo;
      pen.fillStyle = this.#named.palette.text;
      const [x, y] = [left, top + LABEL_HEIGHT / 2];
      pen.strokeText(this.#named.names[index] ?? "", x, y);
      pen.fillText(this.#named.names[index] ?? "", x, y);
    }
  }

  #candidates(pen: CanvasRenderingContext2D): Candidate[] {
    const first = [this.#hovered, this.#marked].filter((index) => index !== null);
    const found = this.#grid.within(this.#view(), MOST_TRIED, this.#named.hidden);
    return [...new Set([...first, ...found])].map((index) => {
      const { x, y } = this.#sigma.graphToViewport({
        x: this.#named.points[2 * index] ?? 0,
        y: this.#named.points[2 * index + 1] ?? 0,
      });
      return {
        node: String(index),
        x,
        y,
        size: this.#named.sizes[index] ?? 0,
        width: this.#widthOf(index, pen),
        before: this.#named.before[index] === 1,
      };
    });
  }

  #view(): View {
    const { width, height } = this.#sigma.getDimensions();
    const corners = [
      this.#sigma.viewportToGraph({ x: 0, y: 0 }),
      this.#sigma.viewportToGraph({ x: width, y: height }),
    ];
    const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
    return { left: Math.min(...xs), right: Math.max(...xs), bottom: Math.min(...ys), top: Math.max(...ys) };
  }

  #widthOf(index: number, pen: CanvasRenderingContext2D): number {
    const known = this.#widths.get(index);
    if (known !== undefined) return known;
    const width = pen.measureText(this.#named.names[index] ?? "").width;
    this.#widths.set(index, width);
    return width;
  }
}
