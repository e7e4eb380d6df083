// The words of the design's vocabulary as a page writes them, with what each means.

import type { Bump, Relation, Verdict } from "../api/types";

export const relationNames: Record<Relation, string> = {
  duplicate: "Duplicate",
  finetune: "Fine-tune",
  adapter: "Adapter",
  quantized: "Quantized",
  merge: "Merge",
  pruned: "Pruned",
  expanded: "Expanded",
  transformed: "Transformed",
  component: "Component",
  unrelated: "Unrelated",
};

export const relations = Object.keys(relationNames) as Relation[];

export const techniqueNames: Record<string, string> = {
  copy: "byte copy",
  reshard: "re-sharded",
  rename: "keys renamed",
  container: "container changed",
  cast: "cast",
  permuted: "permuted",
  rescaled: "rescaled",
  full: "all weights",
  layers: "some layers",
  head: "head only",
  bias: "biases only",
  "lora-merged": "merged low rank",
  "scale-shift": "scale and shift",
  sparse: "sparse",
  "sparse-lowrank": "sparse and low rank",
  "shallow-patch": "shallow patch",
  "neuron-edit": "neuron edit",
  tampered: "tampered",
  lora: "LoRA",
  dora: "DoRA",
  ia3: "IA3",
  prompt: "prompt",
  state: "state",
  gguf: "GGUF",
  rtn: "round to nearest",
  int8: "int8",
  gptq: "GPTQ",
  awq: "AWQ",
  nf4: "NF4",
  fp8: "fp8",
  "onnx-int8": "ONNX int8",
  unstructured: "unstructured",
  "n:m": "N:M",
  width: "width",
  depth: "depth",
  linear: "linear soup",
  slerp: "SLERP",
  "task-arithmetic": "task arithmetic",
  ties: "TIES",
  dare: "DARE",
  breadcrumbs: "breadcrumbs",
  "per-block": "per block",
  passthrough: "pass-through",
  vocabulary: "vocabulary",
  moe: "mixture of experts",
  "layer-replaced": "layers replaced",
};

export const verdictNames: Record<Verdict, string> = {
  confirmed: "Confirmed",
  contradicted: "Contradicted",
  undeclared: "Undeclared",
  unverifiable: "Unverifiable",
};

export const verdictMeanings: Record<Verdict, string> = {
  confirmed: "The weights agree with the declared base model.",
  contradicted: "The weights do not derive from the declared base model.",
  undeclared: "The weights derive from a model that the card does not name.",
  unverifiable: "The declared base model has not been crawled, so nothing can be compared.",
};

export const verdicts = Object.keys(verdictNames) as Verdict[];

export const bumpMeanings: Record<Bump, string> = {
  none: "Nothing that a consumer can observe changed.",
  patch: "Equal weights, or only metadata changed.",
  minor: "Weights changed, and the model still drops in.",
  major: "Something that a consumer loads or relies on broke.",
};
