using Microsoft.Extensions.Configuration;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>What <c>aspire publish</c> and <c>aspire deploy</c> do.</summary>
static class Publishing
{
    /// <summary>
    /// Points to the Helm chart. Without it, Aspire would publish nothing and report success. The manifest (<c>--publisher manifest</c>) is
    /// still written.
    /// </summary>
    /// <exception cref="CannotStartException">Aspire's command is to publish or to deploy.</exception>
    public static void RefusePublishing(IConfiguration configuration)
    {
        if (configuration["Pipeline:Step"] is "publish" or "deploy")
        {
            throw new CannotStartException("Aspire does not publish Muse. For Kubernetes there is a Helm chart in deploy/helm/muse: "
                + "docs/cluster.md says what to set, and ./muse images builds the container images.");
        }
    }
}
