//go:build cgo

package journal

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>

typedef int next_function(void *journal);
typedef int get_data_function(void *journal, const char *field, const void **data, size_t *length);

static next_function *next;
static get_data_function *get_data;

// resolve finds the functions in the library that go-systemd has loaded.
static int resolve(void) {
	void *library = dlopen("libsystemd.so.0", RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL)
		return 0;
	next = (next_function *)dlsym(library, "sd_journal_next");
	get_data = (get_data_function *)dlsym(library, "sd_journal_get_data");
	return next != NULL && get_data != NULL;
}

struct text {
	int moved, got;
	const void *data;
	size_t length;
};

static struct text next_text(void *journal) {
	struct text t = {.moved = next(journal)};
	if (t.moved > 0)
		t.got = get_data(journal, "MESSAGE", &t.data, &t.length);
	return t;
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

// texts returns a function that moves j to the next entry and returns its text, which is
// valid until j is used again; nil if the text cannot be read. The function returns false
// at the end.
//
// For every entry, go-systemd takes a lock to look up a function, and copies the name of
// the field and the text. In a run with many lines this is a fifth of the time. So texts
// calls these two functions of libsystemd directly.
func texts(j *sdjournal.Journal) func() (text []byte, more bool, err error) {
	handle := handleOf(j)
	if handle == nil || !resolve() {
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

// handleOf returns the sd_journal of j; nil if a new go-systemd keeps it in another field.
func handleOf(j *sdjournal.Journal) unsafe.Pointer {
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
