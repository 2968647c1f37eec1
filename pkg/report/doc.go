// Package report says in tables and structs what Spillway has decided and found: for the CLI, the demo, and scripts that read
// JSON. What enters are API objects and placement records as somebody else has read them; what leaves are plain structs
// with JSON names, and text on a writer. It imports no client and reads no clock.
package report
