package mapping

import (
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/target"

	"github.com/agnivade/levenshtein"
)

// A property is where Graph keeps an attribute.
type property struct {
	name   string
	member string // of a complex property
	first  bool   // of a list
}

// portalNames are the names of the portal's attribute list that Graph has under another name:
// the renames of the Azure AD Graph migration guide, and those found in default mappings.
var portalNames = []string{"objectId", "mobile", "telephoneNumber", "physicalDeliveryOfficeName", "facsimileTelephoneNumber", "dirSyncEnabled",
	"immutableId", "lastDirSyncDateTime", "originalUserPrincipalName"}

// computedNames are the attributes that are no property of Graph's: what they are is worked
// out by the caller that evaluates.
var computedNames = []string{"IsSoftDeleted", "appRoleAssignments", "memberOf", "tenantId", graphsync.TypeProperty}

// spellings has the names of portal and Graph, as they are written and in lower case.
var spellings = func() map[string]string {
	out := map[string]string{}
	for _, name := range slices.Concat(portalNames, computedNames, userProperties, groupProperties) {
		out[name], out[strings.ToLower(name)] = name, name
	}
	return out
}()

// spelled returns an attribute's name as Graph or the portal writes it: Entra compares names without
// regard to case. A name that is not known, such as that of a directory extension, stays as it is.
func spelled(name string) string {
	if right, ok := spellings[name]; ok {
		return right
	}
	if right, ok := spellings[strings.ToLower(name)]; ok {
		return right
	}
	return name
}

// propertyOf finds where Graph keeps an attribute.
func propertyOf(name string) property {
	switch name = spelled(name); name {
	case "objectId":
		return property{name: "id"}
	case "mobile":
		return property{name: "mobilePhone"}
	case "telephoneNumber":
		return property{name: "businessPhones", first: true}
	case "physicalDeliveryOfficeName":
		return property{name: "officeLocation"}
	case "facsimileTelephoneNumber":
		return property{name: "faxNumber"}
	case "dirSyncEnabled":
		return property{name: "onPremisesSyncEnabled"}
	case "immutableId":
		return property{name: "onPremisesImmutableId"}
	case "lastDirSyncDateTime":
		return property{name: "onPremisesLastSyncDateTime"}
	case "originalUserPrincipalName":
		return property{name: "userPrincipalName"}
	}
	const numbered = "extensionAttribute"
	if len(name) > len(numbered) && strings.EqualFold(name[:len(numbered)], numbered) && isDigits(name[len(numbered):]) {
		return property{name: "onPremisesExtensionAttributes", member: numbered + name[len(numbered):]}
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 && strings.IndexByte(name, '[') < 0 {
		return property{name: spelled(name[:dot]), member: name[dot+1:]}
	}
	return property{name: name}
}

// GraphProperty returns the Graph property that an attribute's name needs in $select. computed
// names have none: IsSoftDeleted, appRoleAssignments, memberOf, tenantId and odataType.
func GraphProperty(name string) (prop string, computed bool) {
	for _, known := range computedNames {
		if strings.EqualFold(known, name) {
			return "", true
		}
	}
	return propertyOf(name).name, false
}

// GraphValue returns an attribute by the name an expression uses, from properties as Graph
// sent them; raw returns nil for an absent one. A property that is no JSON is null.
func GraphValue(name string, kind graphsync.Kind, raw func(property string) []byte) Value {
	p := propertyOf(name)
	text := raw(p.name)
	if len(text) == 0 {
		return Value{}
	}
	v, err := FromJSON(text)
	switch {
	case err != nil:
		return Value{}
	case p.member != "":
		return v.member(p.member)
	case p.first && v.typ == List:
		if len(v.more.list) == 0 {
			return Value{}
		}
		return v.more.list[0]
	case strings.EqualFold(name, "userPrincipalName") && kind == graphsync.User && v.typ == String:
		return StringValue(GuestName(v.text))
	}
	return v
}

// GuestName returns the user principal name as provisioning uses it: of a guest, the address
// at home. ada_x.example#EXT#@contoso.onmicrosoft.com is ada@x.example; any other name stays.
func GuestName(upn string) string {
	local, _, ok := strings.Cut(upn, "#EXT#@")
	if !ok {
		return upn
	}
	at := strings.LastIndexByte(local, '_')
	if at <= 0 || at == len(local)-1 {
		return local
	}
	return local[:at] + "@" + local[at+1:]
}

// userProperties and groupProperties are Graph's (v1.0, user and group resource types) as far
// as mappings use them. They serve to find misspellings only: a name that is not here and not
// close to one here is taken as it is.
var (
	userProperties = strings.Fields(`aboutMe accountEnabled ageGroup assignedLicenses assignedPlans birthday businessPhones city companyName
		consentProvidedForMinor country createdDateTime creationType customSecurityAttributes deletedDateTime department displayName
		employeeHireDate employeeId employeeLeaveDateTime employeeOrgData employeeType externalUserState externalUserStateChangeDateTime faxNumber
		givenName hireDate id identities imAddresses interests isManagementRestricted isResourceAccount jobTitle lastPasswordChangeDateTime
		legalAgeGroupClassification licenseAssignmentStates mail mailboxSettings mailNickname manager mobilePhone mySite officeLocation
		onPremisesDistinguishedName onPremisesDomainName onPremisesExtensionAttributes onPremisesImmutableId onPremisesLastSyncDateTime
		onPremisesProvisioningErrors onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled onPremisesUserPrincipalName
		otherMails passwordPolicies passwordProfile pastProjects postalCode preferredDataLocation preferredLanguage preferredName provisionedPlans
		proxyAddresses responsibilities schools securityIdentifier serviceProvisioningErrors showInAddressList signInSessionsValidFromDateTime skills
		state streetAddress surname usageLocation userPrincipalName userType`)
	groupProperties = strings.Fields(`assignedLabels assignedLicenses classification createdDateTime deletedDateTime description displayName
		expirationDateTime groupTypes id infoCatalogs isAssignableToRole isManagementRestricted mail mailEnabled mailNickname membershipRule
		membershipRuleProcessingState onPremisesDomainName onPremisesLastSyncDateTime onPremisesNetBiosName onPremisesProvisioningErrors
		onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled preferredDataLocation preferredLanguage proxyAddresses renewedDateTime
		securityEnabled securityIdentifier serviceProvisioningErrors theme uniqueName visibility members owners`)
)

// IsUserProperty reports whether Graph documents a property of that name for users, or the name is
// that of a directory extension, which every tenant defines for itself.
func IsUserProperty(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), "extension_") ||
		slices.ContainsFunc(userProperties, func(known string) bool { return strings.EqualFold(known, name) })
}

// NearestAttribute returns the attribute of a user that a misspelled name was probably meant to be,
// "" when none comes near.
func NearestAttribute(name string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, names := range [][]string{userProperties, portalNames, computedNames} {
		for _, known := range names {
			if d := levenshtein.ComputeDistance(strings.ToLower(known), strings.ToLower(name)); d < distance && d < max(len(known), len(name)) {
				best, distance = known, d
			}
		}
	}
	return best
}

// MisspelledProperty returns the property of users that a name was probably meant to be, "" for a name
// that is one, or is like none: a sample may have names of its own.
func MisspelledProperty(name string) string { return misspelled(target.User, name) }

// Misspelled returns the property that an attribute's name was probably meant to be: one that
// differs by a letter or two of a long name; "" when the name may be right.
func Misspelled(kind target.Kind, name string) string { return misspelled(kind, name) }

func misspelled(kind target.Kind, name string) string {
	known := userProperties
	if kind == target.Group {
		known = groupProperties
	}
	whole := propertyOf(name).name
	if computed := slices.ContainsFunc(computedNames, func(c string) bool { return strings.EqualFold(c, name) }); computed || slices.Contains(known, whole) {
		return ""
	}
	for _, right := range known {
		d := levenshtein.ComputeDistance(right, name)
		if d == 1 && len(right) > 7 || d == 2 && len(right) > 9 {
			return right
		}
	}
	return ""
}
