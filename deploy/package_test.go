package deploy_test

import (
	"archive/tar"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// one returns the file in dist, where make e2e puts the packages, that a pattern names.
func one(t *testing.T, pattern string) string {
	names, err := filepath.Glob("../dist/" + pattern)
	require.NoError(t, err)
	require.Len(t, names, 1, "make packages makes it")
	return names[0]
}

func deb(t *testing.T) string {
	return one(t, "restic-exporter-journal_*_"+strings.TrimSpace(run(t, "dpkg", "--print-architecture"))+".deb")
}

// TestPackage: what the packages hold and ask for, and what Debian's checker says.
func TestPackage(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	for arch, rpm := range map[string]string{"amd64": "x86_64", "arm64": "aarch64"} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			deb, rpm := one(t, "*_"+arch+".deb"), one(t, "*."+rpm+".rpm")
			assert.NotRegexp(t, "(?m)^[EWI]: ", run(t, "lintian", "--allow-root", "--display-info", deb), "what is not explained is wrong")

			// The fast program: it needs of libraries libc alone, and loads libsystemd.
			dir := t.TempDir()
			run(t, "dpkg-deb", "--extract", deb, dir)
			program, err := elf.Open(dir + "/usr/bin/restic-exporter")
			require.NoError(t, err)
			libraries, err := program.ImportedLibraries()
			require.NoError(t, err)
			assert.Equal(t, []string{"libc.so.6"}, libraries)
			info, err := buildinfo.ReadFile(dir + "/usr/bin/restic-exporter")
			require.NoError(t, err)
			settings := info.String()
			assert.Contains(t, settings, "build\tCGO_ENABLED=1\n")
			assert.Contains(t, settings, "build\tGOARCH="+arch+"\n")

			glibc := "2.34"
			assert.Equal(t, "libc6 (>= "+glibc+"), systemd\n", run(t, "dpkg-deb", "--field", deb, "Depends"))
			assert.Contains(t, run(t, "rpm", "-qp", "--requires", rpm), "libc.so.6(GLIBC_"+glibc+")(64bit)\n")
			if native := strings.TrimSpace(run(t, "dpkg", "--print-architecture")); arch == native {
				require.NoError(t, os.Mkdir(dir+"/debian", 0o755))
				require.NoError(t, os.WriteFile(dir+"/debian/control", []byte("Source: x\n\nPackage: x\nArchitecture: any\n"), 0o644))
				cmd := command(t, "dpkg-shlibdeps", "-O", "usr/bin/restic-exporter")
				cmd.Dir = dir
				out, err := cmd.Output()
				require.NoError(t, err)
				assert.Equal(t, "shlibs:Depends=libc6 (>= "+glibc+")\n", string(out))
				// What make bench measures.
				assert.Equal(t, read(t, "../bin/restic-exporter"), read(t, dir+"/usr/bin/restic-exporter"))
			}

			// Both hold the same files, but for what each family has in a place of its own.
			inDeb := regexp.MustCompile(`(?m)\./(\S*[^/\s])$`).FindAllStringSubmatch(run(t, "dpkg-deb", "--contents", deb), -1)
			var want []string
			for _, m := range inDeb {
				name := strings.Replace("/"+m[1], "/zsh/vendor-completions/", "/zsh/site-functions/", 1)
				switch name = regexp.MustCompile("^/lib/systemd").ReplaceAllString(name, "/usr/lib/systemd"); {
				case strings.HasPrefix(name, "/usr/share/lintian/"):
				case strings.HasSuffix(name, "/copyright"), strings.HasSuffix(name, "/changelog.gz"):
				default:
					want = append(want, name)
				}
			}
			want = append(want, "/etc/restic-exporter", "/usr/share/licenses/restic-exporter-journal/LICENSE")
			slices.Sort(want)
			assert.Equal(t, want, strings.Fields(run(t, "rpm", "-qlp", rpm)))
			assert.Equal(t, "/usr/share/licenses/restic-exporter-journal/LICENSE\n", run(t, "rpm", "-qp", "--licensefiles", rpm))
			for _, name := range []string{
				"/usr/share/man/man1/restic-exporter.1.gz", "/usr/share/man/man5/restic-job.conf.5.gz",
				"/usr/share/man/man8/restic-job.8.gz",
				"/usr/share/doc/restic-exporter-journal/docs/getting-started.md",
				"/usr/share/doc/restic-exporter-journal/docs/runbooks/ResticBackupFailed.md",
			} {
				assert.Contains(t, want, name)
			}

			documents := dir + "/usr/share/doc/restic-exporter-journal/docs/"
			for _, name := range append(glob(t, documents+"*.md"), glob(t, documents+"runbooks/*.md")...) {
				for _, link := range regexp.MustCompile(`\]\(([^)#:]+)[)#]`).FindAllStringSubmatch(read(t, name), -1) {
					assert.FileExists(t, filepath.Join(filepath.Dir(name), link[1]), "%s links to it", name)
				}
			}
		})
	}
}

// TestPackagePiuparts: what is installed and purged leaves nothing, says Debian's checker.
func TestPackagePiuparts(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	testenv.Root(t)
	assert.Contains(t, run(t, "piuparts", "--existing-chroot="+machine.Suite(t, "trixie"), "--distribution=trixie", "--skip-minimize",
		"--no-eatmydata", "--no-upgrade-test", // there is no earlier version in Debian
		"--no-symlinks", // restic's own documents have broken ones
		"--ignore-regex=^/var/cache/debconf/tmp.ci", // debconf's
		deb(t)), "PASS: All tests.")
}

// TestPackageTarballs: each has a program of its machine's that needs no library.
func TestPackageTarballs(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	for name, want := range map[string]struct {
		machine elf.Machine
		setting string
	}{
		"amd64": {elf.EM_X86_64, "GOARCH=amd64"}, "arm64": {elf.EM_AARCH64, "GOARCH=arm64"}, "armv7": {elf.EM_ARM, "GOARM=7"},
		"armv6": {elf.EM_ARM, "GOARM=6"}, "386": {elf.EM_386, "GOARCH=386"}, "riscv64": {elf.EM_RISCV, "GOARCH=riscv64"},
	} {
		file, err := os.Open(one(t, "restic-exporter_*_linux_"+name+".tar.gz"))
		require.NoError(t, err)
		defer file.Close()
		unzipped, err := gzip.NewReader(file)
		require.NoError(t, err)
		var names []string
		for r := tar.NewReader(unzipped); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			_, base, _ := strings.Cut(h.Name, "/")
			names = append(names, base)
			if base != "restic-exporter" {
				continue
			}
			path := filepath.Join(t.TempDir(), base)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, text, 0o755))
			program, err := elf.Open(path)
			require.NoError(t, err)
			libraries, err := program.ImportedLibraries()
			require.NoError(t, err)
			assert.Empty(t, libraries, name)
			assert.Equal(t, want.machine, program.Machine, name)
			info, err := buildinfo.ReadFile(path)
			require.NoError(t, err)
			assert.Contains(t, info.String(), want.setting+"\n", name)
		}
		assert.Equal(t, []string{
			"", "CHANGELOG.md", "LICENSE", "restic-exporter", "restic-exporter.1", "restic-exporter@.service",
		}, names, name)
	}
}
