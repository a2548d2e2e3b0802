package scim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entrasync/target"
)

// check compares what the application shows with what was written. What a write's response does
// not show as written is read before anything is concluded:
//
//   - read as written, it was taken;
//   - shown in another spelling, it is the application's own ([target.Spelled]);
//   - shown by neither, it cannot be told ([target.NotShown]), and it is not written in another way:
//     what an application hides would be lost;
//   - shown otherwise by both, it is written once more without a path, and then as a whole unless
//     something is known to be hidden. What does not take then is [target.NotTaken].
//
// Each of the last three is an error in addition to the resource, of active always without a remark.
func (u *update) check(ctx context.Context) error {
	answered := u.result
	u.a.dialect.noteLabels(u.ref.Kind, u.taken, answered)
	if u.result == nil && len(u.taken) > 0 && (u.a.cfg.VerifyWrites || matters(u.taken)) {
		if err := u.reread(ctx); err != nil {
			return err
		}
	}
	doubted := u.doubted(u.taken)
	if slices.ContainsFunc(doubted, func(d doubt) bool {
		return d.verdict != target.Hidden || !u.a.learned.knows(hidden, u.ref.Kind, factKey(d.attribute))
	}) && !u.read {
		if err := u.reread(ctx); err != nil {
			return err
		}
		for _, d := range doubted {
			if d.verdict == target.Hidden && u.verdictOf(d.attribute) != target.Hidden {
				u.a.learned.learn(terse, u.ref.Kind, factKey(d.attribute))
			}
		}
		doubted = u.doubted(attributesOfDoubts(doubted))
	}
	if other := ofVerdict(doubted, target.Other); len(other) > 0 && u.patches && u.ref.Kind == target.User {
		doubted = append(slices.DeleteFunc(doubted, func(d doubt) bool { return d.verdict == target.Other }), u.insist(ctx, other, answered)...)
	}
	for _, d := range doubted {
		if d.verdict == target.Hidden {
			u.a.learned.learn(hidden, u.ref.Kind, factKey(d.attribute))
		}
		u.refused = append(u.refused, u.remark(d))
	}
	return nil
}

// A doubt is an attribute that is not shown as it was written.
type doubt struct {
	attribute target.Attribute
	verdict   target.Verdict
}

func attributesOfDoubts(doubted []doubt) []target.Attribute {
	all := make([]target.Attribute, len(doubted))
	for i := range doubted {
		all[i] = doubted[i].attribute
	}
	return all
}

func ofVerdict(doubted []doubt, verdict target.Verdict) []target.Attribute {
	return attributesOfDoubts(slices.DeleteFunc(slices.Clone(doubted), func(d doubt) bool { return d.verdict != verdict }))
}

// matters reports whether a write that was answered without the resource is read back all the
// same: of several attributes an application may have done half, and who can sign in, and as whom,
// is among them.
func matters(written []target.Attribute) bool {
	return len(written) > 1 && slices.ContainsFunc(written, func(attribute target.Attribute) bool {
		switch factKey(attribute) {
		case "active", "username", "externalid":
			return true
		}
		return false
	})
}

func (u *update) reread(ctx context.Context) error {
	r, err := u.a.Get(ctx, u.ref)
	if err != nil {
		return err
	}
	u.result, u.read = r, true
	return nil
}

// verdictOf compares one attribute with the resource at hand.
func (u *update) verdictOf(attribute target.Attribute) target.Verdict {
	wired := u.a.dialect.wired(attribute)
	return wired.Path.Judge(wired.Value, u.result.Value(wired.Path))
}

// doubted returns the attributes that the resource at hand, where there is one, does not show as
// written. A response known to leave an attribute out says nothing of it.
func (u *update) doubted(attributes []target.Attribute) (all []doubt) {
	if u.result == nil || !u.read && !informative(u.result.Attributes) {
		return nil
	}
	for _, attribute := range attributes {
		verdict := u.verdictOf(attribute)
		switch {
		case verdict == target.AsWritten, strings.EqualFold(attribute.Path.Name(), "password"):
		case verdict == target.Hidden && !u.read && u.a.learned.knows(terse, u.ref.Kind, factKey(attribute)):
		default:
			all = append(all, doubt{attribute, verdict})
		}
	}
	return all
}

// insist writes attributes in other ways when the resource shows something else. It returns what is
// still in doubt. The whole resource is written only when the response to the first write showed
// something else too: a replica that is behind must not decide what is written back.
func (u *update) insist(ctx context.Context, other []target.Attribute, answered *target.Resource) []doubt {
	certain := answered != nil && !slices.ContainsFunc(other, func(attribute target.Attribute) bool {
		wired := u.a.dialect.wired(attribute)
		return wired.Path.Judge(wired.Value, answered.Value(wired.Path)) != target.Other
	})
	for _, way := range []struct {
		fact  string
		may   bool
		write func(context.Context, []target.Attribute) (*target.Resource, error)
	}{
		{onlyMerge, true, u.merge},
		{onlyPut, certain && !u.a.learned.knowsAny(hidden, u.ref.Kind), u.putAll},
	} {
		if !way.may {
			continue
		}
		r, err := way.write(ctx, other)
		if err != nil || r == nil {
			continue
		}
		u.result, u.read = r, false
		still := u.doubted(other)
		if len(ofVerdict(still, target.Hidden)) > 0 && u.reread(ctx) == nil {
			still = u.doubted(other)
		}
		for _, attribute := range other {
			if !slices.ContainsFunc(still, func(d doubt) bool { return d.attribute.Path.Equal(attribute.Path) }) {
				u.a.learned.learn(way.fact, u.ref.Kind, factKey(attribute))
			}
		}
		if other = ofVerdict(still, target.Other); len(other) == 0 {
			return still
		}
	}
	return u.doubted(other)
}

// putAll writes the whole resource. It is for applications of which nothing is known to be hidden: a
// PUT takes away what it does not mention.
func (u *update) putAll(ctx context.Context, attributes []target.Attribute) (*target.Resource, error) {
	return u.a.put(ctx, u.ref, attributes)
}

// remark says what is shown of an attribute that was written.
func (u *update) remark(d doubt) error {
	path := d.attribute.Path.String()
	e := &target.Error{Op: opName("update", u.ref.Kind), Attribute: path}
	switch d.verdict {
	case target.Hidden:
		e.Code, e.Remark = target.Unverified, target.NotShown
		e.Message = fmt.Sprintf("the application answered that it is done but does not show %s, so that it cannot be told whether it took it", path)
		e.Hint = "nothing needs to be done if the application is known to hide the attribute; else take it out of the mapping"
	case target.Respelled:
		e.Code, e.Remark = target.Unverified, target.Spelled
		e.Message = fmt.Sprintf("the application keeps %s in a spelling of its own", path)
	default:
		e.Code, e.Remark = target.Rejected, target.NotTaken
		e.Message = fmt.Sprintf("the application answered that it is done but did not take %s", path)
		e.Hint = "take the attribute out of the mapping if the application keeps its own value"
	}
	if isActive(d.attribute) && d.verdict == target.Other { // who may sign in is never left at that
		e.Code, e.Remark = target.Rejected, target.NoRemark
	}
	return e
}

func factKey(attribute target.Attribute) string { return strings.ToLower(attribute.Path.Canonical()) }
