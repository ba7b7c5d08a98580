//go:build cgo

package journal

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

typedef int next_function(void *journal);
typedef int get_data_function(void *journal, const char *field, const void **data, size_t *length);
typedef int get_realtime_function(void *journal, uint64_t *usec);

static next_function *next;
static get_data_function *get_data;
static get_realtime_function *get_realtime;

// resolve finds the functions in the library that go-systemd has loaded.
static int resolve(void) {
	void *library = dlopen("libsystemd.so.0", RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL)
		return 0;
	next = (next_function *)dlsym(library, "sd_journal_next");
	get_data = (get_data_function *)dlsym(library, "sd_journal_get_data");
	get_realtime = (get_realtime_function *)dlsym(library, "sd_journal_get_realtime_usec");
	return next != NULL && get_data != NULL && get_realtime != NULL;
}

struct text {
	int moved, got;
	const void *data;
	size_t length;
};

static struct text get_text(void *journal, const char *field) {
	struct text t = {.moved = 1};
	t.got = get_data(journal, field, &t.data, &t.length);
	return t;
}

static struct text next_text(void *journal) {
	struct text t = {.moved = next(journal)};
	return t.moved > 0 ? get_text(journal, "MESSAGE") : t;
}

struct moment {
	int got;
	uint64_t usec;
};

static struct moment get_moment(void *journal) {
	struct moment m = {0};
	m.got = get_realtime(journal, &m.usec);
	return m;
}
*/
import "C"

import (
	"reflect"
	"sync"
	"syscall"
	"unsafe"

	"github.com/coreos/go-systemd/v22/sdjournal"
)

var resolve = sync.OnceValue(func() bool { return C.resolve() != 0 })

const messagePrefix = "MESSAGE="

// cNames are the names of the fields in C.
var cNames = sync.OnceValue(func() (names [fieldCount]*C.char) {
	for i, name := range fieldNames {
		names[i] = C.CString(name)
	}
	return names
})

// data returns a field of the current entry with its name, "NAME=value". It is valid until
// l moves to another entry.
func (l libsystemd) data(field int) ([]byte, error) {
	if l.handle == nil {
		return l.j.GetDataBytes(fieldNames[field])
	}
	t := C.get_text(l.handle, cNames()[field])
	if t.got < 0 {
		return nil, syscall.Errno(-t.got)
	}
	// libsystemd reuses its buffer for the next field.
	from := len(*l.arena)
	*l.arena = append(*l.arena, unsafe.Slice((*byte)(t.data), int(t.length))...)
	return (*l.arena)[from:], nil
}

// realtime returns the __REALTIME_TIMESTAMP of the current entry.
func (l libsystemd) realtime() (uint64, error) {
	if l.handle == nil {
		return l.j.GetRealtimeUsec()
	}
	m := C.get_moment(l.handle)
	if m.got < 0 {
		return 0, syscall.Errno(-m.got)
	}
	return uint64(m.usec), nil
}

// texts returns a function that moves j to the next entry and returns its text, which is
// valid until j is used again; nil if the text cannot be read. The function returns false
// at the end.
//
// For every field, go-systemd takes a lock to look up a function, and copies the name of
// the field and its value. This is a fifth of the time for reading texts, and a third for
// reading entries. So texts, data and realtime call libsystemd directly.
func texts(j *sdjournal.Journal) func() (text []byte, more bool, err error) {
	handle := handleOf(j)
	if handle == nil {
		return copiedTexts(j)
	}
	return func() ([]byte, bool, error) {
		t := C.next_text(handle)
		switch {
		case t.moved < 0:
			return nil, false, syscall.Errno(-t.moved)
		case t.moved == 0:
			return nil, false, nil
		case t.got < 0:
			return nil, true, nil
		}
		return textOf(unsafe.Slice((*byte)(t.data), int(t.length))), true, nil
	}
}

// handleOf returns the sd_journal of j; nil if a new go-systemd keeps it in another field,
// or the functions are not there.
func handleOf(j *sdjournal.Journal) unsafe.Pointer {
	if !resolve() {
		return nil
	}
	field := reflect.ValueOf(j).Elem().FieldByName("cjournal")
	if field.Kind() != reflect.Pointer {
		return nil
	}
	return field.UnsafePointer()
}

// copiedTexts is texts with nothing but go-systemd.
func copiedTexts(j *sdjournal.Journal) func() (text []byte, more bool, err error) {
	return func() ([]byte, bool, error) {
		n, err := j.Next()
		if err != nil || n == 0 {
			return nil, false, err
		}
		data, _ := j.GetDataBytes("MESSAGE")
		return textOf(data), true, nil
	}
}

func textOf(data []byte) []byte {
	if len(data) < len(messagePrefix) {
		return nil
	}
	return data[len(messagePrefix):]
}
