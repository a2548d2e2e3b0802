package target

import "strings"

// Doubts are errors about attributes that a resource does not show as they were written. By their remarks they are no
// failures, but for the attribute active: who may sign in is never left at that. who is the one that was written to, such
// as "the database"; hint says what to look for where it shows another value.
func Doubts(op, who, hint string, r *Resource, attributes []Attribute) (errs []error) {
	for _, attribute := range attributes {
		path := attribute.Path.String()
		e := &Error{Op: op, Attribute: path}
		switch attribute.Path.Judge(attribute.Value, r.Value(attribute.Path)) {
		case AsWritten:
			continue
		case Hidden:
			e.Code, e.Remark, e.Message = Unverified, NotShown, who+" took "+path+" and shows nothing there"
			e.Hint = "nothing needs to be done if " + who + " is known to hide the attribute"
		case Respelled:
			e.Code, e.Remark, e.Message = Unverified, Spelled, who+" keeps "+path+" in a spelling of its own"
		default:
			e.Code, e.Remark, e.Message, e.Hint = Rejected, NotTaken, who+" shows another value of "+path+" than was written", hint
			if strings.EqualFold(attribute.Path.Canonical(), "active") {
				e.Remark = NoRemark
			}
		}
		errs = append(errs, e)
	}
	return errs
}
