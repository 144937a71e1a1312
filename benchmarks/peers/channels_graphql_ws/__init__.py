"""DjangoChannelsGraphqlWs."""
