package ldap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
)

var (
	errNoName = errors.New("the directory names an entry by what is no name")

	// errStale means that the entry was renamed, moved, changed or deleted since it was looked up.
	errStale = errors.New("the entry changed since it was looked up")

	// errNoBase means that there is no entry of a base's name.
	errNoBase = errors.New("the base is not there")
)

// answer returns the code of a server's answer. ok is false for an error that is none.
func answer(err error) (code uint16, ok bool) {
	var e *ldap.Error
	if errors.As(err, &e) && e.ResultCode > 0 && e.ResultCode < ldap.ErrorNetwork {
		return e.ResultCode, true
	}
	return 0, false
}

func answers(err error, codes ...uint16) bool {
	code, ok := answer(err)
	for _, c := range codes {
		if ok && c == code {
			return true
		}
	}
	return false
}

// busy reports whether a server did not even try: the same request may be sent again.
func busy(err error) bool {
	return answers(err, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable)
}

// lost reports whether a request has no answer.
func lost(err error) bool {
	var already *target.Error
	if err == nil || errors.As(err, &already) || errors.Is(err, errStale) || errors.Is(err, errNoBase) || errors.Is(err, errNoName) {
		return errors.As(err, &already) && already.Code == target.Unavailable && already.Op == ""
	}
	_, ok := answer(err)
	return !ok
}

// refusedAttribute reports whether an answer is about values, so that others may be written without them.
func refusedAttribute(err error) bool {
	return answers(err, ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInappropriateMatching, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidAttributeSyntax,
		ldap.LDAPResultNamingViolation, ldap.LDAPResultObjectClassViolation, ldap.LDAPResultNotAllowedOnRDN, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInsufficientAccessRights,
		ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultInvalidDNSyntax)
}

// refusal is an attribute that cannot be written, and why.
func refusal(op, attribute, message, hint string) *target.Error {
	return &target.Error{Op: op, Code: target.Rejected, Attribute: attribute, Message: message, Hint: hint}
}

func missing(op string, ref target.Ref) error {
	return &target.Error{Op: op, Code: target.NotFound, Message: fmt.Sprintf("no entry with the id %.100q is one of this target's", target.Clean(ref.ID))}
}

// ended returns the error of a call whose context has ended, nil while it has not.
func ended(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &target.Error{Code: target.Unavailable, Op: op, Message: "stopped before it was sent", Err: err}
	}
	return nil
}

// failed says what happened to an operation. unsure is set where a change may have been made although no answer came.
func (a *Adapter) failed(ctx context.Context, op string, err error, unsure bool) error {
	var already *target.Error
	if errors.As(err, &already) && already.Op != "" {
		return err
	}
	if ctx.Err() != nil && lost(err) {
		err = ctx.Err()
	}
	var e *target.Error
	var said *ldap.Error
	switch code, ok := answer(err); {
	case ok && errors.As(err, &said):
		e = a.translated(code, said)
	case errors.Is(err, errStale):
		e = &target.Error{Code: target.Unavailable, Message: "the entry is changed by others at the same time", Hint: "it is tried again in the next cycle", Err: err}
	case errors.Is(err, errNoBase), errors.Is(err, errNoName):
		e = &target.Error{Code: target.NotSCIM, Message: err.Error(), Hint: "check users.base, groups.base and active.base of the target, and that bind_dn may read them", Err: err}
	case err != nil && strings.Contains(err.Error(), "connection timed out"): // go-ldap has no other sign
		e = target.Unanswered(a.address.Hostname(), os.ErrDeadlineExceeded, unsure)
		e.Message, e.Hint = fmt.Sprintf("the directory did not answer within %v", a.cfg.Timeout), "see whether the server is overloaded, or raise the target's timeout"
	default:
		if errors.As(err, &said) {
			err = said.Err
		}
		e = target.Unanswered(a.address.Hostname(), err, unsure)
	}
	named := *e
	named.Op = op
	named.Indeterminate = named.Indeterminate || unsure && named.Code == target.Unavailable
	return &named
}

// translated says in plain words what a server answered.
func (a *Adapter) translated(code uint16, said *ldap.Error) *target.Error {
	text := target.Clean(said.Err.Error())
	e := &target.Error{Code: target.Rejected, Message: "the directory refused it: " + lowered(ldap.LDAPResultCodeMap[code]), Detail: text, Err: said, Attribute: a.blamed(text)}
	if e.Attribute != "" {
		e.Message = "the directory refused the value of " + e.Attribute + ": " + lowered(ldap.LDAPResultCodeMap[code])
	}
	switch code {
	case ldap.LDAPResultEntryAlreadyExists:
		e.Code, e.Message, e.Hint = target.Conflict, "an entry of this name, or with a value that has to be unique, is there", "look for it: it may be outside of the base, or lack a class or fixed value of the target"
	case ldap.LDAPResultConstraintViolation:
		e.Hint = "the directory's own words say which rule a value breaks"
		if notUnique(text) {
			e.Code, e.Message, e.Hint = target.Conflict, "a value that has to be unique is taken", "look for the entry that has it"
		}
	case ldap.LDAPResultNoSuchObject:
		e.Code, e.Message = target.NotFound, "the entry is not there"
	case ldap.LDAPResultInsufficientAccessRights:
		e.Code, e.Message, e.Hint = target.Forbidden, "the account that binds may not do this", "give bind_dn the right to add, change, rename and delete entries below the bases of the target"
	case ldap.LDAPResultReferral:
		e.Code, e.Message, e.Hint = target.Forbidden, "this server does not keep the entry itself and refers to another one"+referred(said), "referrals are not followed: name the server that is written to in the target's url"
	case ldap.LDAPResultUnwillingToPerform:
		unwilling(e, text)
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultAuthorizationDenied:
		e.Code, e.Message, e.Hint = target.Unauthorized, "the directory refuses the login", "check bind_dn and password_file of the target"
		if why := bindReason(text); why != "" {
			e.Message += ": " + why
		}
	case ldap.LDAPResultOperationsError:
		if strings.Contains(text, "successful bind must be completed") {
			e.Code, e.Message, e.Hint = target.Unauthorized, "the directory answers no one who has not logged in", "set bind_dn and password_file of the target"
		}
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultAuthMethodNotSupported:
		e.Code, e.Message, e.Hint = target.Untrusted, "the directory wants a secured connection", "write ldaps:// in the target's url, or start_tls: true"
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultTimeLimitExceeded:
		e.Code, e.Message, e.Hint = target.Unavailable, "the directory is busy: "+lowered(ldap.LDAPResultCodeMap[code]), "it is tried again; lower rate or concurrency of the target where it happens often"
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		e.Code, e.Message = target.Forbidden, "the directory has more entries than it tells bind_dn of: "+lowered(ldap.LDAPResultCodeMap[code])
		e.Hint = `raise its limit for this account; OpenLDAP: olcLimits: dn.exact="BIND DN" size=unlimited time=unlimited`
	case ldap.LDAPResultNotAllowedOnNonLeaf:
		e.Message, e.Hint = "other entries are below this one", "delete or move them first"
	case ldap.LDAPResultObjectClassViolation:
		e.Hint = "users.classes must allow each attribute of the mapping, and the mapping must give each that a class demands"
	}
	return e
}

// unwilling tells the reasons apart that servers give with unwillingToPerform.
func unwilling(e *target.Error, text string) {
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "restricted"), strings.Contains(lower, "shadow context"), strings.Contains(lower, "read-only"), strings.Contains(lower, "read only"):
		e.Code, e.Message, e.Hint = target.Forbidden, "this server can only be read", "name the server that is written to in the target's url"
	case strings.Contains(text, "0000052D"):
		e.Message, e.Hint = "the account has no password that the policy accepts, so that it cannot be enabled", "set users.password: random, or give it one and enable it by hand"
	case strings.Contains(text, "0000001F"), strings.Contains(text, "0000200C"):
		e.Message, e.Hint = "passwords are taken over a secured connection only", "write ldaps:// in the target's url, or start_tls: true"
	default:
		e.Message = "the directory is unwilling to do it"
	}
}

// notUnique knows what the overlay of OpenLDAP, Samba and Active Directory say of a value that is taken.
func notUnique(text string) bool {
	return strings.Contains(text, "not unique") || strings.Contains(text, "already in use") || strings.Contains(text, "000021C8") || strings.Contains(text, "000021C7")
}

// bindReason reads why Active Directory refuses a login.
func bindReason(text string) string {
	for sign, why := range map[string]string{"data 525": "there is no such account", "data 52e": "the password is wrong", "data 530": "not at this time", "data 532": "the password has expired",
		"data 533": "the account is disabled", "data 701": "the account has expired", "data 773": "the password has to be changed first", "data 775": "the account is locked"} {
		if strings.Contains(text, sign) {
			return why
		}
	}
	return ""
}

// referred names the server of a referral.
func referred(said *ldap.Error) string {
	if said.Packet == nil || len(said.Packet.Children) < 2 {
		return ""
	}
	for _, child := range said.Packet.Children[1].Children[min(3, len(said.Packet.Children[1].Children)):] {
		for _, address := range child.Children {
			if text, ok := address.Value.(string); ok && text != "" {
				return " (" + target.Clean(text) + ")"
			}
			if text := address.Data; text != nil && text.Len() > 0 {
				return " (" + target.Clean(text.String()) + ")"
			}
		}
	}
	return ""
}

// blamed returns the path whose attribute an answer begins with, as OpenLDAP writes it: title: value #0 invalid per syntax.
func (a *Adapter) blamed(text string) string {
	name, _, found := strings.Cut(text, ":")
	if !found {
		return ""
	}
	for _, s := range a.sections() {
		for _, m := range s.attributes {
			if strings.EqualFold(m.name, name) {
				return m.path.String()
			}
		}
	}
	return ""
}

func lowered(text string) string { return strings.ToLower(text) }
