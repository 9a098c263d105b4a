using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Muse.AppHost;

/// <summary>What the AppHost writes to the console: what a person needs to know, and what is wrong.</summary>
static class ConsoleLogging
{
    /// <summary>Leaves out the start-up details of Aspire and of the web host that serves the dashboard.</summary>
    public static void AddQuietConsole(this IDistributedApplicationBuilder builder) => builder.Services.AddLogging(logging => logging
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddFilter("Aspire.Hosting.Dcp", LogLevel.Warning)
        // The dashboard says the same in a banner: there is no development certificate.
        .AddFilter("Aspire.Hosting.Dcp.DcpHost", LogLevel.Error)
        // The keys protect the dashboard's login cookie and lie in the user's own folder.
        .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error));
}
