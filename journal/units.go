package journal

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"
)

// unitFields are the fields that name the unit in lines of output and in the manager's
// entries.
func (s selector) unitFields() []int {
	return []int{s.scope[Output].unit, s.scope[Manager].unit}
}

// Units implements [Source].
func (r Reader) Units(ctx context.Context, patterns ...string) iter.Seq2[string, error] {
	return r.units(ctx, patterns, r.open)
}

func (r Reader) units(ctx context.Context, patterns []string, open opener) iter.Seq2[string, error] {
	return yieldNames(func(found map[string]bool) error {
		matches := anyMatch(patterns)
		err := open(func(b backend) error {
			for _, field := range r.selector("").unitFields() {
				values, err := b.values(ctx, fieldNames[field])
				if err != nil {
					return err
				}
				for _, name := range values {
					if found[name] || !matches(name) {
						continue
					}
					// Anyone can send an entry that names a unit. Look for one that
					// can be trusted.
					s := r.selector(name)
					some, err := speaks(ctx, s, b.read(ctx, s, s.any(), time.Time{}))
					if err != nil {
						return err
					}
					if some {
						found[name] = true
					}
				}
			}
			return nil
		})
		if len(found) == 0 {
			err = cmp.Or(r.unreadable(), err)
		}
		return err
	})
}

// Spoke implements [Source].
func (r Reader) Spoke(ctx context.Context, unit, program string) (bool, error) {
	return r.spoke(ctx, unit, program, r.open)
}

func (r Reader) spoke(ctx context.Context, unit, program string, open opener) (some bool, err error) {
	s := r.selector(unit)
	err = open(func(b backend) (err error) {
		some, err = speaks(ctx, s, b.read(ctx, s, s.program(program), time.Time{}))
		return err
	})
	if some || err != nil || r.Namespace != "" {
		return some, err
	}
	for _, name := range r.Namespaces() {
		r.Namespace = name
		if some, err := r.Spoke(ctx, unit, program); some || err != nil {
			return some, err
		}
	}
	return false, nil
}

// program matches the lines of a program in the unit, in any run.
func (s selector) program(name string) match {
	return match{
		s.match(Output, fieldNames[fieldComm]+"="+name),
		s.match(Output, fieldNames[fieldIdentifier]+"="+name),
	}
}

// speaks reports whether any of rs is about the unit of s, and can be trusted. If
// invocations are given, it must also be of one of these.
func speaks(ctx context.Context, s selector, rs records, of ...ID) (bool, error) {
	for rec, err := range rs {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return false, err
		}
		if _, id, ok := s.kind(rec); ok && (len(of) == 0 || slices.Contains(of, id)) {
			return true, nil
		}
	}
	return false, ctx.Err()
}

// yieldNames yields the names that find adds to its argument, in order, or its error.
func yieldNames(find func(map[string]bool) error) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		found := make(map[string]bool)
		if err := find(found); err != nil {
			yield("", err)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// Units implements [Source]. It returns ErrFormat for a recording in a format that does
// not name units.
func (r *Recording) Units(ctx context.Context, patterns ...string) iter.Seq2[string, error] {
	return yieldNames(func(found map[string]bool) error {
		rs, err := r.records()
		if err != nil {
			return err
		}
		if rs == nil {
			return fmt.Errorf("%w that names units; record with journalctl -o export", ErrFormat)
		}
		matches := anyMatch(patterns)
		selectors := []selector{selectorOf("", true)}
		if !r.User {
			selectors = append(selectors, selectorOf("", false))
		}
		for rec, err := range rs {
			if err := cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			for _, s := range selectors {
				for _, field := range s.unitFields() {
					name := string(rec.fields[field])
					if name == "" || found[name] || !matches(name) {
						continue
					}
					s.unit = name
					if _, _, ok := s.kind(rec); ok {
						found[name] = true
					}
				}
			}
		}
		return nil
	})
}

// Spoke implements [Source].
func (r *Recording) Spoke(ctx context.Context, unit, program string) (bool, error) {
	r = r.ofItsManager(unit)
	s := selectorOf(unit, r.User)
	if rs, err := r.records(); rs != nil || err != nil {
		for rec, err := range rs {
			if err := cmp.Or(err, ctx.Err()); err != nil {
				return false, err
			}
			kind, _, ok := s.kind(rec)
			if ok && kind == Output && (rec.is(fieldComm, program) || rec.is(fieldIdentifier, program)) {
				return true, nil
			}
		}
		return false, err
	}
	for e, err := range r.Entries(ctx, unit, ID{}) {
		if err != nil {
			return false, err
		}
		if e.Kind == Output && e.Identifier == program {
			return true, nil
		}
	}
	return false, nil
}

// Units implements [Source].
func (h storeHost) Units(ctx context.Context, patterns ...string) iter.Seq2[string, error] {
	return yieldNames(func(found map[string]bool) error {
		matches := anyMatch(patterns)
		s := selectorOf("", false)
		for _, k := range []Kind{Output, Manager} {
			field := fieldNames[s.scope[k].unit]
			// The first condition of a match is the unit. Leave it out, to find all units.
			query := fmt.Sprintf("%s %s %s:* | stats by (%s) count() n", h.filter(), storeFilter(s.match(k)[1:]), field, field)
			for row, err := range h.store.ask(ctx, query) {
				if err != nil {
					return err
				}
				if name := row.get(field); matches(name) {
					found[name] = true
				}
			}
		}
		return nil
	})
}

// Spoke implements [Source].
func (h storeHost) Spoke(ctx context.Context, unit, program string) (bool, error) {
	query := h.query(selectorOf(unit, false).program(program)) + " | stats count() n"
	for row, err := range h.store.ask(ctx, query) {
		if err != nil {
			return false, err
		}
		n, err := strconv.ParseUint(row.get("n"), 10, 64)
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
		}
		return n > 0, nil
	}
	return false, nil
}
