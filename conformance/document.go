package main

import (
	"fmt"
	"os"
	"strings"
)

const document = "docs/conformance.md"

// writeResult puts the result of a focus between its marks in a document.
func writeResult(file, focus, result string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	changed, err := replaceBetween(string(text), "<!-- result:"+focus+" -->", "<!-- /result:"+focus+" -->", result)
	if err != nil {
		return fmt.Errorf("writing the result into %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(changed), 0o644)
}

func replaceBetween(text, begin, end, with string) (string, error) {
	before, rest, begins := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", fmt.Errorf("it has no %s and %s", begin, end)
	}
	return before + begin + "\n" + strings.TrimSpace(with) + "\n" + end + after, nil
}
