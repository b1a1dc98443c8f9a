// Package browser has the tests in a headless Chromium, which playwright-core runs:
// docs.mjs, what people do with the page at /docs, judged by axe-core; and diagrams.mjs,
// the diagrams of the pages, drawn by Mermaid.
package browser
