package journal

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// A rule is how one kind of speaker is told: in which field an entry names the unit and
// in which its invocation, and what journald must say itself of the process that sent
// it. Any user can send entries with any fields, but for those that begin with an
// underscore: these are journald's own (systemd.journal-fields(7)).
type rule struct {
	unit, id int // fields
	vouched  []condition
}

// A condition is a value that a field must have. uidOf in it stands for the number of
// the user whose manager has the unit.
type condition struct {
	field int
	value string
}

const uidOf = "$UID"

// A scope says who may speak of a unit. Both the predicate, [selector.kind], and what a
// journal is asked for, [selector.match], come from it.
type scope [3]rule // by Kind

var systemScope = scope{
	Output:  {fieldSystemdUnit, fieldSystemdInvocation, nil},
	Manager: {fieldUnit, fieldInvocation, []condition{{fieldPID, "1"}}},
	Dropped: {fieldObjectUnit, fieldObjectInvocation, []condition{{fieldSystemdUnit, "systemd-journald.service"}}},
}

// The user's manager is a process like others, and its own invocation is not the unit's.
var userScope = scope{
	Output: {fieldSystemdUserUnit, fieldSystemdInvocation, []condition{{fieldUID, uidOf}}},
	Manager: {fieldUserUnit, fieldUserInvocation, []condition{
		{fieldSystemdUserUnit, "init.scope"}, {fieldUID, uidOf}, {fieldSystemdUnit, "user@" + uidOf + ".service"},
	}},
	Dropped: {fieldObjectUserUnit, fieldObjectInvocation, []condition{{fieldSystemdUnit, "systemd-journald.service"}}},
}

// A selector tells which records are about a unit, and whom to believe.
type selector struct {
	unit  string
	scope *scope
	uid   string // the user whose manager has the unit; "" in a recording, which may be of any user
}

// selectorOf returns the selector for a unit of the system's manager, or of a user's.
func selectorOf(unit string, user bool) selector {
	if user {
		return selector{unit: unit, scope: &userScope}
	}
	return selector{unit: unit, scope: &systemScope}
}

// kind tells who speaks in r of the unit, and of which invocation. A line that came
// late has none, see [orphans], nor has a start that was refused, see refused.go.
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

// A match is a disjunction of conjunctions of FIELD=value, as sd_journal_add_match(3)
// has it.
type match [][]string

// match matches what speakers of a kind say of any invocation.
func (s selector) match(k Kind, more ...string) []string {
	rule := s.scope[k]
	and := []string{fieldNames[rule.unit] + "=" + s.unit}
	for _, c := range rule.vouched {
		and = append(and, fieldNames[c.field]+"="+strings.ReplaceAll(c.value, uidOf, s.uid))
	}
	return append(and, more...)
}

// of matches what speakers of a kind say of one invocation.
func (s selector) of(k Kind, id ID, more ...string) []string {
	return s.match(k, append([]string{fieldNames[s.scope[k].id] + "=" + id.String()}, more...)...)
}

// any matches what may be of any invocation.
func (s selector) any() match { return match{s.match(Output), s.match(Manager)} }

// whole matches what is of one invocation.
func (s selector) whole(id ID) match { return append(match{s.of(Output, id)}, s.notes(id)...) }

// notes matches what the manager and journald say of one invocation.
func (s selector) notes(id ID) match { return match{s.of(Manager, id), s.of(Dropped, id)} }

// selector is that for a unit in the journal of this machine.
func (r Reader) selector(unit string) selector {
	s := selectorOf(unit, r.User)
	if r.Namespace != "" {
		// Each namespace has a journald of its own, which drops what comes too fast.
		own := *s.scope
		own[Dropped].vouched = []condition{{fieldSystemdUnit, "systemd-journald@" + r.Namespace + ".service"}}
		s.scope = &own
	}
	if r.User {
		s.uid = strconv.Itoa(os.Getuid())
	}
	return s
}
