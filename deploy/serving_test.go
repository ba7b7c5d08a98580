package deploy_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/server"
)

// block returns what a document shows in a block of that language.
func block(t *testing.T, document, language string) string {
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```\n").FindStringSubmatch(read(t, document))
	require.NotNil(t, m, "%s shows no %s", document, language)
	return m[1]
}

// TestServing: the lines for nginx and Prometheus that docs/serving.md shows
// bring the metrics of a unit there, without node_exporter, and vmagent takes
// the same lines as Prometheus.
func TestServing(t *testing.T) {
	const document = "../docs/serving.md"
	dir, files := t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(files), 0o755))
	require.NoError(t, os.WriteFile(files+"/restic-backup.prom", []byte(read(t, "../testdata/0.19.1/second-run-prune.prom")), 0o644))
	require.NoError(t, os.WriteFile(files+"/secret.txt", []byte("x"), 0o644))

	nginx, prometheus := server.Address(t), server.Address(t)
	site := strings.NewReplacer("listen 9180", "listen "+nginx, "/var/lib/node-exporter", files).Replace(block(t, document, "nginx"))
	require.NoError(t, os.WriteFile(dir+"/nginx.conf", fmt.Appendf(nil, `
daemon off;
master_process off;
user root;
pid %[1]s/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[2]s
}`, dir, site), 0o644))
	server.Start(t, "nginx", "-c", dir+"/nginx.conf", "-e", "stderr")

	var reply *http.Response
	get := func(name string) (code int, mediaType string) {
		require.Eventually(t, func() (ok bool) {
			var err error
			reply, err = http.Get("http://" + nginx + "/" + name)
			return err == nil
		}, 20*time.Second, 50*time.Millisecond)
		defer reply.Body.Close()
		return reply.StatusCode, reply.Header.Get("Content-Type")
	}
	for name, want := range map[string]int{
		"restic-backup.prom": 200, "restic-backup.exporter.prom": 200, "other.prom": 404, "secret.txt": 404, "": 404,
	} {
		code, mediaType := get(name)
		assert.Equal(t, want, code, name)
		if code == 200 {
			assert.Equal(t, "text/plain; version=0.0.4", mediaType, name)
		}
	}

	scrapes := strings.ReplaceAll(block(t, document, "yaml"), "db1:9180", nginx)
	require.NoError(t, os.WriteFile(dir+"/prometheus.yml", []byte("global: {scrape_interval: 1s}\n"+scrapes), 0o644))
	server.Start(t, "prometheus", "--config.file="+dir+"/prometheus.yml",
		"--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prometheus, "--web.enable-remote-write-receiver")
	server.Start(t, "vmagent", "-promscrape.config="+dir+"/prometheus.yml", "-remoteWrite.tmpDataPath="+t.TempDir(),
		"-remoteWrite.url=http://"+prometheus+"/api/v1/write", "-remoteWrite.label=by=vmagent", "-httpListenAddr="+server.Address(t))
	ask := func(expr string) float64 {
		answers := database(prometheus).ask(t, expr, ".*")
		if len(answers) == 0 {
			return 0
		}
		return answers[0].Value
	}
	require.Eventually(t, func() bool {
		_, err := server.Get("http://" + prometheus + "/-/ready")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	require.Eventually(t, func() bool {
		return ask(`restic_run_status{job="restic",file="restic-backup",unit="restic-backup.service",status="success"}`) == 1
	}, 30*time.Second, 200*time.Millisecond)
	require.Eventually(t, func() bool {
		return ask(`restic_run_status{by="vmagent",file="restic-backup",unit="restic-backup.service",status="success"}`) == 1
	}, 30*time.Second, 200*time.Millisecond)
	require.Eventually(t, func() bool { return ask(`count(up{by=""} == 1)`) == 2 }, 30*time.Second, 200*time.Millisecond)

	require.NoError(t, os.WriteFile(files+"/restic-backup.exporter.prom",
		[]byte("restic_exporter_failed{unit=\"restic-backup.service\"} 1\n"), 0o644))
	require.Eventually(t, func() bool { return ask(`restic_exporter_failed`) == 1 }, 30*time.Second, 200*time.Millisecond)
}
