package parser

import "time"

// A stranger is a process that has not printed anything yet that may be restic's.
type stranger struct {
	line       int // number of its first line
	start, end time.Time
	stream     bool // several programs print under its process ID
}

// strangers remembers only the most recent strangers, because a script can start
// very many programs. When recent is full, it becomes older.
type strangers struct {
	recent, older map[origin]*stranger
}

// maxStrangers bounds each of the two maps.
const maxStrangers = 1 << 12

// get returns the stranger o. If o is new or was forgotten, it begins with this line.
func (m *strangers) get(o origin, line int, t time.Time) *stranger {
	if s := m.recent[o]; s != nil {
		return s
	}
	s := m.older[o]
	if s == nil {
		s = &stranger{line: line, start: t, end: t}
	}
	if m.recent == nil || len(m.recent) == maxStrangers {
		m.recent, m.older = make(map[origin]*stranger), m.recent
	}
	m.recent[o] = s
	return s
}

func (m *strangers) forget(o origin) {
	delete(m.recent, o)
	delete(m.older, o)
}
