package parser

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestForms: each form is the one that is found for a line of its kind, and not hidden by
// one above it.
func TestForms(t *testing.T) {
	lines := strings.NewReplacer("#", "7", "…", "x")
	for _, table := range [][]form{backupForms, jsonForms, forgetForms, pruneForms, checkForms, otherForms, failureForms} {
		for i := range table {
			f := &table[i]
			var l line
			got := l.find([]byte(strings.TrimRight(lines.Replace(f.pattern), " ")), time.Time{}, f.within)
			if assert.NotNil(t, got, f.pattern) {
				assert.Equal(t, f.pattern, got.pattern)
			}
		}
	}
}
