//go:build cgo

package journal

import (
	"runtime"

	"github.com/coreos/go-systemd/v22/sdjournal"
)

const (
	// alone is how many entries are read before a second thread is worth its
	// start.
	alone = 4096
	// chunkSize is how many entries the two threads read in turn.
	chunkSize = 1024
)

// A chunk is the text of consecutive entries.
type chunk struct {
	texts []byte
	ends  []int  // of each text, in texts
	last  uint64 // when the last entry was received
}

func (c *chunk) text(i int) []byte {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.texts[from:c.ends[i]]
}

// ahead reads every other chunk of what m matches, on a thread of its own with a
// journal of its own: what takes long is libsystemd, which works for one
// thread.
type ahead struct {
	chunks chan *chunk
	free   chan *chunk
	stop   chan struct{}
	done   chan struct{}
}

// startAhead starts behind the entry at cursor, with the second chunk. It
// returns nil where there is no second processor.
func (r Reader) startAhead(m match, cursor string) *ahead {
	if runtime.GOMAXPROCS(0) < 2 {
		return nil
	}
	a := &ahead{make(chan *chunk, 1), make(chan *chunk, 3), make(chan struct{}), make(chan struct{})}
	for range cap(a.free) {
		a.free <- new(chunk)
	}
	go func() {
		defer close(a.done)
		defer close(a.chunks)
		// An error here is one that the first thread will meet as well.
		r.withJournal(func(j *sdjournal.Journal) error { return a.read(j, m, cursor) })
	}()
	return a
}

// close ends the thread, and waits for it.
func (a *ahead) close() {
	if a != nil {
		close(a.stop)
		<-a.done
	}
}

func (a *ahead) read(j *sdjournal.Journal, m match, cursor string) error {
	if err := m.set(j); err != nil {
		return err
	}
	if err := j.SeekCursor(cursor); err != nil {
		return err
	}
	if n, err := j.Next(); err != nil || n == 0 {
		return err
	}
	if err := j.TestCursor(cursor); err != nil {
		return err
	}
	for {
		if n, err := j.NextSkip(chunkSize); err != nil || n < chunkSize {
			return err
		}
		var c *chunk
		select {
		case c = <-a.free:
		case <-a.stop:
			return nil
		}
		c.texts, c.ends = c.texts[:0], c.ends[:0]
		for len(c.ends) < chunkSize {
			n, err := j.Next()
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			// What cannot be read here is left to the first thread: no text is
			// never idle.
			if text, err := j.GetDataBytes("MESSAGE"); err == nil && len(text) >= len(messagePrefix) {
				c.texts = append(c.texts, text[len(messagePrefix):]...)
			}
			c.ends = append(c.ends, len(c.texts))
		}
		if len(c.ends) == 0 {
			return nil
		}
		last, err := j.GetRealtimeUsec()
		if err != nil {
			return err
		}
		c.last = last
		select {
		case a.chunks <- c:
		case <-a.stop:
			return nil
		}
	}
}

const messagePrefix = "MESSAGE="
