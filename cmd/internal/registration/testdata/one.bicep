// The app registration for entrasync, with the Microsoft Graph extension of Bicep. bicepconfig.json next to it:
//   {"extensions": {"microsoftGraphV1": "br:mcr.microsoft.com/bicep/extensions/microsoftgraph/v1.0:1.0.0"}}
// Bicep makes no secret: afterwards add one, or a certificate or federated credential.
extension microsoftGraphV1

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: '00000003-0000-0000-c000-000000000000'
}

var permissions = [
  'User.Read.All' // reads users
]

resource app 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: 'entrasync'
  displayName: 'entrasync'
  signInAudience: 'AzureADMyOrg'
  requiredResourceAccess: [
    {
      resourceAppId: graph.appId
      resourceAccess: [
        for permission in permissions: {
          id: filter(graph.appRoles, role => role.value == permission)[0].id
          type: 'Role'
        }
      ]
    }
  ]
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: app.appId
}

// Admin consent.
resource consent 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for permission in permissions: {
    appRoleId: filter(graph.appRoles, role => role.value == permission)[0].id
    principalId: principal.id
    resourceId: graph.id
  }
]

output tenant string = tenant().tenantId
output clientId string = app.appId
