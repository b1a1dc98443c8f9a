// Package browser has the tests of the page at /docs in a headless Chromium: docs.mjs,
// which playwright-core runs and axe-core judges.
package browser
