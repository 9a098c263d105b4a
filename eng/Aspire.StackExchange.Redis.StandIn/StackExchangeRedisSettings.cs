namespace Aspire.StackExchange.Redis;

/// <summary>Settings of the client, section <c>Aspire:StackExchange:Redis</c>.</summary>
public sealed class StackExchangeRedisSettings
{
    /// <summary>The connection string.</summary>
    public string? ConnectionString { get; set; }
    /// <summary>No health check. Default false.</summary>
    public bool DisableHealthChecks { get; set; }
    /// <summary>No spans. Default false.</summary>
    public bool DisableTracing { get; set; }
}
