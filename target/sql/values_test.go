package sql

import (
	stdsql "database/sql"
	"testing"

	"entrasync/target"
)

// Who may sign in is told by one of three forms of column; a value that is neither state is none.
func TestActive(t *testing.T) {
	t.Parallel()
	null := stdsql.NullString{}
	text := func(s string) stdsql.NullString { return stdsql.NullString{String: s, Valid: true} }
	for _, c := range []struct {
		cfg   Active
		shown stdsql.NullString
		want  any
	}{
		{Active{Column: "c"}, text("true"), true}, {Active{Column: "c"}, text("1"), true}, {Active{Column: "c"}, text("0"), false}, {Active{Column: "c"}, text("f"), false},
		{Active{Column: "c"}, null, nil}, {Active{Column: "c"}, text("x"), nil},
		{Active{Column: "c", True: "A", False: "L"}, text("A"), true}, {Active{Column: "c", True: "A", False: "L"}, text("L "), false},
		{Active{Column: "c", True: "A", False: "L"}, text("P"), nil}, {Active{Column: "c", True: "A", False: "L"}, null, nil}, {Active{Column: "c", True: "A", False: "L"}, text("a"), nil},
		{Active{Column: "c", False: "now"}, null, true}, {Active{Column: "c", False: "now"}, text("2026-01-01"), false},
		{Active{Column: "c", True: "now"}, null, false}, {Active{Column: "c", True: "now"}, text("2026-01-01"), true},
	} {
		if got := c.cfg.compile().read(c.shown); got != c.want {
			t.Errorf("%+v shows %v: got %v, want %v", c.cfg, c.shown, got, c.want)
		}
	}
	for _, c := range []struct {
		cfg      Active
		on, make bool
		want     any
		expr     string
	}{
		{Active{Column: "c"}, true, false, "true", ""}, {Active{Column: "c", True: "A", False: "L"}, false, false, "L", ""},
		{Active{Column: "c", False: "now"}, true, false, nil, ""}, {Active{Column: "c", False: "now"}, false, false, nil, `COALESCE(c, CURRENT_TIMESTAMP)`},
		{Active{Column: "c", False: "now"}, false, true, nil, `CURRENT_TIMESTAMP`}, {Active{Column: "c", True: "now"}, false, false, nil, ""},
	} {
		set, err := c.cfg.compile().assign("update user", postgresDialect, &described{}, c.on, c.make)
		expr := ""
		if set.expr != nil {
			expr = set.expr(postgresDialect, "c")
		}
		if err != nil || set.value != c.want || expr != c.expr {
			t.Errorf("%+v, %v: got %v %q (%v), want %v %q", c.cfg, c.on, set.value, expr, err, c.want, c.expr)
		}
	}
	if _, err := (Active{Column: "c"}).compile().assign("update user", postgresDialect, &described{}, "maybe", false); target.CodeOf(err) != target.Rejected {
		t.Errorf("maybe: %v", err)
	}
}
