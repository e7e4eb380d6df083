// Answers the API from fixtures, so that pages can be worked on, and their rarer states tested, without a server.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin, PreviewServer, ViteDevServer } from "vite";
import { answer } from "./api.ts";

/** As strict as the binary's own (`src/api/layers.rs`): a page that breaks it must fail here too. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function mockApi(): Plugin {
  return {
    name: "heirloom-mock-api",
    configureServer(server: ViteDevServer) {
      server.middlewares.use("/api/v1", handle);
    },
    configurePreviewServer(server: PreviewServer) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader("content-security-policy", CONTENT_SECURITY_POLICY);
        next();
      });
      server.middlewares.use("/api/v1", handle);
    },
  };
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const url = new URL(request.url ?? "/", "http://mock");
    const body: unknown = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
    const { status, value } = answer(request.method ?? "GET", url, body);
    response.statusCode = status;
    response.setHeader("content-type", status >= 400 ? "application/problem+json" : "application/json");
    response.end(value === undefined ? undefined : JSON.stringify(value));
  });
}
