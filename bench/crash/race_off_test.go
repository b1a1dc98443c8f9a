//go:build crash && !race

package crash

const raceDetector = false
