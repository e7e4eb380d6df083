// The catalogue as a WebGL graph. Knows sigma; the page around it does not.

import Graph from "graphology";
import Sigma from "sigma";
import type { AtlasModel, Relation } from "../api/types";
import { fullName } from "../format/reference";
import { LabelLayer } from "./labelLayer";

export interface Palette {
  text: string;
  halo: string;
  line: string;
  root: string;
  relations: Record<Relation, string>;
}

/** Models with their places: x and y of each, in turn. */
export interface PlacedModels {
  models: readonly AtlasModel[];
  points: Float32Array;
}

interface NodeLook {
  [name: string]: unknown;
  x: number;
  y: number;
  size: number;
  color: string;
}

/** Above this, edges rest while the map is moved, and points begin small. */
const MANY = 20_000;
const SOME = 1000;

export class Drawing {
  readonly #graph = new Graph<NodeLook>({ type: "directed" });
  readonly #sigma: Sigma<NodeLook>;
  readonly #labels: LabelLayer;
  readonly #models: readonly AtlasModel[];
  readonly #indexOf: ReadonlyMap<string, number>;
  /** 1 for each model that is hidden now. */
  readonly #hidden: Uint8Array;
  /** 1 for each model to the left of its parent: its name stands before it, off the line. */
  readonly #before: Uint8Array;
  #highlighted: string | null = null;

  constructor(
    container: HTMLElement,
    { models, points }: PlacedModels,
    palette: Palette,
    onChoose: (reference: string | null) => void,
  ) {
    this.#models = models;
    this.#indexOf = new Map(models.map(({ reference }, index) => [reference, index]));
    this.#hidden = new Uint8Array(models.length);
    this.#before = new Uint8Array(models.length);
    this.#fill(points, palette);
    this.#sigma = new Sigma(this.#graph, container, {
      settings: {
        itemSizesReference: "screen",
        hideEdgesOnMove: models.length > MANY,
        antialiasEdges: models.length <= MANY,
        renderLabels: false,
        // A page that is being left, or printed, has no width for a moment.
        allowInvalidContainer: true,
        minCameraRatio: 0.002,
        maxCameraRatio: 2,
        stagePadding: 40,
      },
      styles: {
        nodes: {
          x: { attribute: "x" },
          y: { attribute: "y" },
          size: { attribute: "size" },
          color: { attribute: "color" },
          visibility: { whenState: "isHidden", then: "hidden", else: "visible" },
          depth: { whenState: "isHovered", then: "topNodes", else: "nodes" },
        },
        edges: {
          color: { attribute: "color" },
          size: 1,
          visibility: { whenState: "isHidden", then: "hidden", else: "visible" },
        },
      },
    });
    this.#labels = new LabelLayer(container, this.#sigma, {
      palette,
      points,
      names: models.map(({ reference }) => fullName(reference)),
      sizes: models.map((_model, index) => this.#graph.getNodeAttribute(String(index), "size")),
      before: this.#before,
      hidden: this.#hidden,
    });
    this.#sigma.on("clickNode", ({ node }) => onChoose(models[Number(node)]?.reference ?? null));
    this.#sigma.on("clickStage", () => onChoose(null));
    this.#sigma.on("enterNode", ({ node }) => this.#labels.hover(Number(node)));
    this.#sigma.on("leaveNode", () => this.#labels.hover(null));
  }

  /** Draws only what `keep` accepts, and says how many models that are. Only what changes is told to the graphics card. */
  show(keep: (model: AtlasModel) => boolean): number {
    const changed: [shown: string[], hidden: string[]] = [[], []];
    let shown = 0;
    this.#models.forEach((model, index) => {
      const hide = keep(model) ? 0 : 1;
      shown += 1 - hide;
      if (this.#hidden[index] === hide) return;
      this.#hidden[index] = hide;
      changed[hide].push(String(index));
    });
    if (changed[0].length + changed[1].length === 0) return shown;
    const edges: [shown: string[], hidden: string[]] = [[], []];
    for (const node of changed.flat())
      this.#graph.forEachEdge(node, (edge, _look, from, to) => {
        const hide = this.#hidden[Number(from)] === 1 || this.#hidden[Number(to)] === 1 ? 1 : 0;
        edges[hide].push(edge);
      });
    for (const hide of [0, 1] as const) {
      this.#sigma.setNodesState(changed[hide], { isHidden: hide === 1 });
      this.#sigma.setEdgesState(edges[hide], { isHidden: hide === 1 });
    }
    return shown;
  }

  /** Marks a model and brings it into the middle; `null` marks none. */
  choose(reference: string | null): void {
    const index = reference === null ? undefined : this.#indexOf.get(reference);
    if (this.#highlighted !== null) this.#sigma.setNodeState(this.#highlighted, { isHighlighted: false });
    this.#highlighted = index === undefined ? null : String(index);
    this.#labels.mark(index ?? null);
    if (this.#highlighted === null) return;
    this.#sigma.setNodeState(this.#highlighted, { isHighlighted: true });
    const { x, y } = this.#graph.getNodeAttributes(this.#highlighted);
    const camera = this.#sigma.getCamera();
    const place = this.#sigma.graphToFramedGraph({ x, y });
    void camera.animate({ ...place, ratio: Math.min(camera.ratio, this.#closeRatio()) }, { duration: 400 });
  }

  wholeMap(): void {
    void this.#sigma.getCamera().animate({ x: 0.5, y: 0.5, ratio: 1 }, { duration: 300 });
  }

  close(): void {
    this.#labels.close();
    this.#sigma.kill();
  }

  /** Near enough to see a family, whatever the size of the map. */
  #closeRatio(): number {
    return Math.max(0.02, Math.min(0.6, 6 / Math.sqrt(this.#models.length)));
  }

  #fill(points: Float32Array, palette: Palette): void {
    const indexOf = new Map(this.#models.map(({ id }, index) => [id, index]));
    const parentsOf = (model: AtlasModel) => model.parents.flatMap((id) => indexOf.get(id) ?? []);
    const children = new Uint32Array(this.#models.length);
    for (const model of this.#models)
      for (const parent of parentsOf(model)) children[parent] = (children[parent] ?? 0) + 1;
    const smallest = this.#models.length > MANY ? 1.5 : this.#models.length > SOME ? 3 : 5;
    this.#models.forEach(({ relation }, index) => {
      this.#graph.addNode(String(index), {
        x: points[2 * index] ?? 0,
        y: points[2 * index + 1] ?? 0,
        size: smallest + 1.5 * Math.log2(1 + (children[index] ?? 0)),
        color: relation === null ? palette.root : palette.relations[relation],
      });
    });
    this.#models.forEach((model, index) => {
      const [under] = parentsOf(model);
      if (under !== undefined && (points[2 * under] ?? 0) > (points[2 * index] ?? 0) + 1e-3)
        this.#before[index] = 1;
      for (const parent of new Set(parentsOf(model)))
        this.#graph.addEdge(String(parent), String(index), {
          color: model.relation === null ? palette.line : palette.relations[model.relation],
        });
    });
  }
}

/** Colours as WebGL needs them: the custom properties of the page, worked out for the present theme. */
export function paletteOf(page: HTMLElement, relations: readonly Relation[]): Palette {
  const probe = page.appendChild(document.createElement("span"));
  const resolve = (variable: string) => {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  };
  const colours = relations.map((relation) => [relation, resolve(`--relation-${relation}`)]);
  const palette = {
    text: resolve("--text"),
    halo: resolve("--surface"),
    line: resolve("--line-strong"),
    root: resolve("--faint"),
    relations: Object.fromEntries(colours) as Record<Relation, string>,
  };
  probe.remove();
  return palette;
}
