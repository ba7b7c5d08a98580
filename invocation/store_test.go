package invocation_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
	"github.com/restic-exporter/restic-exporter/journal"
)

// TestExampleStore runs the example against a real store.
func TestExampleStore(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	for host, recording := range map[string]string{
		"db1": "0.19.1/second-run-prune", "db2": "0.19.1/wrong-password", "db3": "0.19.1/first-run",
	} {
		text, err := os.ReadFile("../testdata/" + recording + ".export")
		require.NoError(t, err)
		export := regexp.MustCompile(`(?m)^_HOSTNAME=.*$`).ReplaceAllString(string(text), "_HOSTNAME="+host)
		now := fmt.Sprint("__REALTIME_TIMESTAMP=", time.Now().Unix())
		export = regexp.MustCompile(`(?m)^__REALTIME_TIMESTAMP=\d{10}`).ReplaceAllString(export, now)
		if host == "db3" { // it goes on
			export, _, _ = strings.Cut(export, "\n\n")
		}
		victorialogs.Send(t, at, strings.NewReader(export))
	}
	var out strings.Builder
	require.NoError(t, lastBackups(t.Context(), &out, journal.Store{URL: at}))
	said, _, _ := strings.Cut(out.String(), ", or its end")
	assert.Equal(t, "db1 restic-backup.service success \ndb2 restic-backup.service failed password\n"+
		"db3 restic-backup.service: the run is still going on", said)
}
