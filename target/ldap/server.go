package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A server is what a directory says of itself (RFC 4512, section 5.1).
type server struct {
	controls  map[string]bool
	ad        bool
	vendor    string
	subschema string
	domain    string // DNS name of an Active Directory domain
}

// learn asks what the server can, once in a cycle.
func (s *session) learn() (*server, error) {
	s.h.mu.Lock()
	known := s.h.learned
	s.h.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := s.search("", ldap.ScopeBaseObject, "(objectClass=*)", []string{"*", "supportedControl", "supportedCapabilities", "supportedFeatures", "vendorName", "vendorVersion",
		"subschemaSubentry", "structuralObjectClass", "defaultNamingContext", "ldapServiceName", "forestFunctionality"})
	if err != nil {
		return nil, err
	}
	about := &server{controls: map[string]bool{}}
	if len(found.Entries) == 1 { // else it says nothing of itself to this account
		about.read(found.Entries[0])
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	s.h.learned = about
	return about, nil
}

const activeDirectory = "1.2.840.113556.1.4.800" // supportedCapabilities

func (about *server) read(e *ldap.Entry) {
	for _, oid := range e.GetEqualFoldAttributeValues("supportedControl") {
		about.controls[oid] = true
	}
	about.ad = slices.Contains(e.GetEqualFoldAttributeValues("supportedCapabilities"), activeDirectory)
	about.subschema = e.GetEqualFoldAttributeValue("subschemaSubentry")
	vendor := e.GetEqualFoldAttributeValue("vendorName")
	switch {
	case about.ad && strings.Contains(vendor, "Samba"):
		about.vendor = "Samba Active Directory"
	case about.ad:
		about.vendor = "Active Directory"
	case slices.Contains(e.GetEqualFoldAttributeValues("structuralObjectClass"), "OpenLDAProotDSE"):
		about.vendor = "OpenLDAP"
	default:
		about.vendor = strings.TrimSpace(vendor + " " + e.GetEqualFoldAttributeValue("vendorVersion"))
	}
	if about.ad {
		about.domain = domainOf(e.GetEqualFoldAttributeValue("defaultNamingContext"))
	}
}

// domainOf is the DNS name that the end of a name stands for (RFC 2247), "" for none.
func domainOf(name string) string {
	dn, err := ldap.ParseDN(name)
	if err != nil {
		return ""
	}
	var labels []string
	for _, rdn := range dn.RDNs {
		if value, ok := namedBy(rdn, "dc"); ok {
			labels = append(labels, strings.ToLower(value))
		}
	}
	return strings.Join(labels, ".")
}
