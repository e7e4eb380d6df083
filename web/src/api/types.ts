// The API's own types by short names. `schema.d.ts` is generated from openapi.json by `npm run schema`.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Relation = Schemas["Relation"];
export type Verdict = Schemas["Verdict"];
export type Bump = Schemas["Bump"];
export type ModelSummary = Schemas["ModelSummary"];
export type ModelDetail = Schemas["ModelDetail"];
export type ModelPage = Schemas["ModelPage"];
export type Feature = Schemas["Feature"];
export type Edge = Schemas["Edge"];
export type FingerprintSummary = Schemas["FingerprintSummary"];
export type Reason = Schemas["Reason"];
export type Revision = Schemas["Revision"];
export type RevisionList = Schemas["RevisionList"];
export type TensorStats = Schemas["TensorStats"];
export type TensorRow = Schemas["TensorRow"];
export type TensorPage = Schemas["TensorPage"];
export type TensorHolder = Schemas["TensorHolder"];
export type TensorHolders = Schemas["TensorHolders"];
export type LineageNode = Schemas["LineageNode"];
export type Lineage = Schemas["Lineage"];
export type SilentChange = Schemas["SilentChange"];
export type Crawl = Schemas["Crawl"];
export type CrawlFailure = Schemas["CrawlFailure"];
export type CrawlList = Schemas["CrawlList"];
export type Overview = Schemas["Overview"];
export type TensorDiff = Schemas["TensorDiff"];
export type DiffReport = Schemas["DiffReport"];
export type PairOutcome = Schemas["PairOutcome"];
export type BumpDecision = Schemas["BumpDecision"];
export type Diff = Schemas["Diff"];
export type DiffRequest = Schemas["DiffRequest"];
