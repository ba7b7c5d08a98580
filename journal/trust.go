package journal

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A rule defines which entries are from one kind of speaker: the fields that name the
// unit and its invocation, and the conditions on the process that sent the entry. Any
// user can send entries with any fields, except those that begin with an underscore,
// which journald itself adds (systemd.journal-fields(7)).
type rule struct {
	unit, id int // fields
	vouched  []condition
}

// A condition is a value that a field must have; "" means that the entry must not have the
// field. uidOf in the value stands for the UID of the user whose manager runs the unit.
type condition struct {
	field int
	value string
}

const uidOf = "$UID"

// A scope has the rules for the units of one kind of manager, by Kind. It is the only
// place for them: both the check of an entry ([selector.kind]) and the query to a journal
// ([selector.match]) are made from it.
type scope [4]rule

// lastWords, as a Kind in a scope, are what a process of systemd's own logged when it could
// not execute a command of the unit, and ended before journald looked up its unit. Only
// root, or the unit's user, can send such an entry. It counts as Output.
const lastWords Kind = 3

var systemScope = scope{
	Output:  {fieldSystemdUnit, fieldSystemdInvocation, nil},
	Manager: {fieldUnit, fieldInvocation, []condition{{fieldPID, "1"}}},
	Dropped: {fieldObjectUnit, fieldObjectInvocation, []condition{{fieldSystemdUnit, "systemd-journald.service"}}},
	lastWords: {fieldUnit, fieldInvocation, []condition{
		{fieldMessageID, messageSpawnFailed}, {fieldUID, "0"}, {fieldSystemdUnit, ""},
	}},
}

// A user's manager is an ordinary process, and runs in an invocation of its own.
var userScope = scope{
	Output: {fieldSystemdUserUnit, fieldSystemdInvocation, []condition{{fieldUID, uidOf}}},
	Manager: {fieldUserUnit, fieldUserInvocation, []condition{
		{fieldSystemdUserUnit, "init.scope"}, {fieldUID, uidOf}, {fieldSystemdUnit, "user@" + uidOf + ".service"},
	}},
	Dropped: {fieldObjectUserUnit, fieldObjectInvocation, []condition{{fieldSystemdUnit, "systemd-journald.service"}}},
	lastWords: {fieldUserUnit, fieldUserInvocation, []condition{
		{fieldMessageID, messageSpawnFailed}, {fieldUID, uidOf}, {fieldSystemdUnit, ""},
	}},
}

// A selector selects the trustworthy records about a unit.
type selector struct {
	unit  string
	scope *scope
	uid   string // the user whose manager runs the unit; "" in a recording, which may be any user's
}

// selectorOf returns the selector for a unit of the system's manager, or of a user's.
func selectorOf(unit string, user bool) selector {
	if user {
		return selector{unit: unit, scope: &userScope}
	}
	return selector{unit: unit, scope: &systemScope}
}

// kind returns who speaks about the unit in r, and about which invocation. It returns
// false if r is not about the unit, or cannot be trusted. Late lines have no invocation
// (see [orphans]), and neither do refused starts (see refused.go).
func (s selector) kind(r *record) (Kind, ID, bool) {
	for k := range s.scope {
		rule := &s.scope[k]
		if !r.is(rule.unit, s.unit) || !s.vouched(rule, r) {
			continue
		}
		id, ok := r.id(rule.id)
		switch kind := Kind(k); kind {
		case Dropped:
			return kind, id, ok && len(r.fields[fieldDropped]) > 0
		case lastWords:
			return Output, id, ok
		default:
			return kind, id, ok || len(r.fields[rule.id]) == 0
		}
	}
	return 0, ID{}, false
}

func (s selector) vouched(rule *rule, r *record) bool {
	for _, c := range rule.vouched {
		before, after, some := strings.Cut(c.value, uidOf)
		if !some {
			if !r.is(c.field, c.value) {
				return false
			}
			continue
		}
		value, ok := bytes.CutPrefix(r.fields[c.field], []byte(before))
		value, ok2 := bytes.CutSuffix(value, []byte(after))
		if !ok || !ok2 || !bytes.Equal(value, r.fields[fieldUID]) || s.uid != "" && string(value) != s.uid {
			return false
		}
	}
	return true
}

// A match is a disjunction of conjunctions of FIELD=value, as in sd_journal_add_match(3).
// FIELD= matches entries without that field.
type match [][]string

// present returns m without the conditions that a field is absent: a store can be asked for
// such entries, but a journal cannot.
func (m match) present() match {
	p := make(match, len(m))
	for i, and := range m {
		p[i] = slices.DeleteFunc(slices.Clone(and), func(term string) bool { return strings.HasSuffix(term, "=") })
	}
	return p
}

// match matches entries of one kind, of any invocation.
func (s selector) match(k Kind, more ...string) []string {
	rule := s.scope[k]
	and := []string{fieldNames[rule.unit] + "=" + s.unit}
	for _, c := range rule.vouched {
		and = append(and, fieldNames[c.field]+"="+strings.ReplaceAll(c.value, uidOf, s.uid))
	}
	return append(and, more...)
}

// of matches entries of one kind, of one invocation.
func (s selector) of(k Kind, id ID, more ...string) []string {
	return s.match(k, append([]string{fieldNames[s.scope[k].id] + "=" + id.String()}, more...)...)
}

// any matches lines of output and the manager's entries, of any invocation.
func (s selector) any() match { return match{s.match(Output), s.match(Manager)} }

// whole matches all entries of one invocation.
func (s selector) whole(id ID) match { return append(match{s.of(Output, id)}, s.notes(id)...) }

// notes matches the entries of the manager and of journald about one invocation, and its
// last words.
func (s selector) notes(id ID) match {
	return match{s.of(Manager, id), s.of(Dropped, id), s.of(lastWords, id)}
}

// unspawned matches the reports that a command of the unit could not be executed.
func (s selector) unspawned() match { return match{s.match(Output, isSpawnFailed), s.match(lastWords)} }

// selector returns the selector for a unit in the journal of r.
func (r Reader) selector(unit string) selector {
	s := selectorOf(unit, r.User)
	if r.Namespace != "" {
		// Each namespace has a journald of its own, which reports what it dropped.
		own := *s.scope
		own[Dropped].vouched = []condition{{fieldSystemdUnit, "systemd-journald@" + r.Namespace + ".service"}}
		s.scope = &own
	}
	if r.User {
		s.uid = strconv.Itoa(os.Getuid())
	}
	return s
}
