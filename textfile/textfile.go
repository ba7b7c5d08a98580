// Package textfile puts metrics in a file for the textfile collector of
// node_exporter.
//
// [WriteFile] writes the metric families of any program. [Update] also passes the
// families that the file held before, so that the new content can depend on them. A
// program that uses client_golang gets its families from Registry.Gather.
//
// Readers of the file see either the complete old content or the complete new content,
// even after a crash. File systems without atomic rename, such as some network file
// systems, cannot guarantee this.
//
// Package textfile needs neither cgo nor systemd.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// WriteFile replaces the content of the named file with mfs. On any error the file stays
// as it was. Everyone can read the file, whatever the umask. The name must end in
// ".prom", because the collector ignores other files.
//
// WriteFile parses what it has written before it replaces the file.
func WriteFile(name string, mfs []*dto.MetricFamily) error {
	return Update(name, func([]*dto.MetricFamily, error) ([]*dto.MetricFamily, error) { return mfs, nil })
}

// Update replaces the content of the named file with what f returns, in the same way as
// [WriteFile].
//
// f gets the families in the file. If there is no file, it gets no families and a nil
// error. If the file cannot be read as metrics, it gets no families and the reason. If f
// returns an error, the file stays as it is and Update returns that error.
//
// Update holds an advisory lock (flock) on the directory, so that programs which update
// files in the same directory take turns. Whoever can open the directory can hold the
// lock forever, so Update goes on without it after five seconds; the next call for a file
// in that directory does not wait again. It also goes on without a lock if it may write
// the directory but not read it, and on file systems without locks. Without the lock, one
// of two simultaneous updates can be lost, but the file is complete all the same.
func Update(name string, f func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error)) error {
	if err := checkName(name); err != nil {
		return err
	}
	unlock, err := lock(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer unlock()

	mfs, err := f(read(name))
	if err != nil {
		return err
	}
	return replace(name, mfs)
}

func checkName(name string) error {
	if base := filepath.Base(name); !strings.HasSuffix(base, ".prom") || base == ".prom" {
		return fmt.Errorf("%s: the name must end in .prom, or the textfile collector ignores the file", name)
	}
	return nil
}

// read returns the families in the named file; none if there is no such file.
func read(name string) ([]*dto.MetricFamily, error) {
	// O_NONBLOCK, because the file may be a pipe. O_NOFOLLOW, because a link could
	// point to a file that is secret, and errors quote what they cannot parse.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link", name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	} else if st.Size() > maxSize {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxSize>>20)
	}
	mfs, err := Decode(io.LimitReader(file, maxSize))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return mfs, nil
}

// replace writes mfs to a new file in the same directory, and renames it to name.
func replace(name string, mfs []*dto.MetricFamily) (err error) {
	sweep(name)
	prefix, suffix := temporary(name)
	tmp, err := os.CreateTemp(filepath.Dir(name), prefix+"*"+suffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := encode(tmp, mfs); err != nil {
		return err
	}
	if err := check(tmp); err != nil {
		return fmt.Errorf("the new content of %s cannot be read as metrics: %w", name, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	// Without this, a crash can leave an empty file with the new name.
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// check returns an error if a file that was written cannot be read.
func check(file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := newDecoder()
	d.check = true
	return d.read(file)
}

// temporary returns the names of the temporary files for the named file, as what precedes
// and what follows a number. They must not end in .prom, because the collector reads all
// such files, even hidden ones.
func temporary(name string) (prefix, suffix string) {
	base := filepath.Base(name)
	return "." + base[:min(len(base), 200)] + ".", ".tmp" // a name can have at most 255 bytes
}

// abandoned is the age at which a temporary file no longer belongs to a running program.
const abandoned = time.Minute

// sweep removes the temporary files of programs that were killed while they wrote the
// named file.
func sweep(name string) {
	prefix, suffix := temporary(name)
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return
	}
	defer dir.Close()
	files, _ := dir.Readdirnames(sweepLimit)
	for _, file := range files {
		rest, ours := strings.CutPrefix(file, prefix)
		number, tmp := strings.CutSuffix(rest, suffix)
		if !ours || !tmp || strings.Trim(number, "0123456789") != "" {
			continue
		}
		path := filepath.Join(filepath.Dir(name), file)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
			os.Remove(path)
		}
	}
}

// sweepLimit bounds how many names in the directory are looked at, so that a directory
// with a million files does not hold up a backup.
const sweepLimit = 10_000

// lockTimeout bounds the wait for the lock. Whoever can open the directory can hold it.
const lockTimeout = 5 * time.Second

// held has the directories whose lock could not be taken in time. A program that updates
// many files waits for such a lock once, not for each file.
var held sync.Map

// lock takes an advisory lock on the directory itself, which needs no lock file.
func lock(dir string) (unlock func(), err error) {
	d, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrPermission) {
		// The directory may be written but not read. Then nobody locks it.
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockTimeout)
	if _, ok := held.Load(dir); ok {
		deadline = time.Now()
	}
	for ; ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EWOULDBLOCK && time.Now().Before(deadline):
			continue
		case err == syscall.EWOULDBLOCK:
			held.Store(dir, true)
		default:
			held.Delete(dir)
		}
		return func() { d.Close() }, nil
	}
}
