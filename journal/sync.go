package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// socketOf returns the varlink socket of the journald of a namespace. Only root may use
// it before systemd 261.
func socketOf(namespace string) string {
	if namespace != "" {
		namespace = "." + namespace
	}
	return "/run/systemd/journal" + namespace + "/io.systemd.journal"
}

const (
	// quiet is how old the last entry must be for the log to count as settled. It is
	// used if this process may not ask journald.
	quiet = 2 * time.Second
	// settleTimeout bounds the wait for that.
	settleTimeout = 30 * time.Second
)

// Sync implements [Source]. It waits until journald has written down what it received
// before the call. What a process of the unit has just printed may still be on its way.
// The longer journald's backlog is, the longer Sync takes: give ctx a deadline.
//
// Before systemd 261 only root can ask journald for this. For other users Sync waits
// until no process of unit has logged anything for two seconds. It returns ErrUnsynced
// if journald reports an error or the deadline passes. For journal files elsewhere (Dir,
// File) Sync does nothing.
func (r Reader) Sync(ctx context.Context, unit string) error {
	if r.elsewhere() {
		return nil
	}
	err := synchronize(ctx, socketOf(""))
	if err == nil && r.Namespace != "" {
		// If nobody listens, no journald is running that could hold anything back: that
		// of a namespace ends when no unit uses it any more, and its socket can stay.
		err = synchronize(ctx, socketOf(r.Namespace))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			err = nil
		}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		err = r.settle(ctx, unit)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsynced, err)
	}
	return nil
}

// synchronize calls io.systemd.Journal.Synchronize: a JSON object and a NUL
// byte each way.
func synchronize(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if _, err := conn.Write([]byte(`{"method":"io.systemd.Journal.Synchronize"}` + "\x00")); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	var reply []byte
	for buf := make([]byte, 4096); bytes.IndexByte(reply, 0) < 0; {
		n, err := conn.Read(buf)
		reply = append(reply, buf[:n]...)
		if err != nil && bytes.IndexByte(reply, 0) < 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return cmp.Or(ctx.Err(), err)
		}
		if len(reply) > 1<<20 {
			return errors.New("journald's answer is too long")
		}
	}
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply[:bytes.IndexByte(reply, 0)], &answer); err != nil {
		return fmt.Errorf("journald's answer: %w", err)
	}
	if answer.Error != "" {
		return fmt.Errorf("journald answers %s", answer.Error)
	}
	return nil
}

// settle waits until the last entry of the unit is old enough (see quiet).
func (r Reader) settle(ctx context.Context, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		var final Entry
		err := r.open(func(b backend) (err error) {
			s := r.selector(unit)
			final, err = last(ctx, b, s, s.any())
			return err
		})
		if err != nil {
			return err
		}
		wait := quiet - time.Since(final.Time)
		if wait <= 0 || wait > quiet { // there is none, or its clock was wrong
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(wait, 200*time.Millisecond)):
		}
	}
}
