namespace Muse.AppHost;

/// <summary>A <c>redis-server</c> process of this machine, with its connection string.</summary>
/// <param name="name">The resource's name.</param>
/// <param name="program">The program's path.</param>
/// <param name="folder">Its working directory.</param>
sealed class RedisServerResource(string name, string program, string folder)
    : ExecutableResource(name, program, folder), IResourceWithConnectionString
{
    /// <summary>The name of its endpoint.</summary>
    public const string EndpointName = "tcp";

    /// <inheritdoc/>
    public ReferenceExpression ConnectionStringExpression
    {
        get
        {
            var endpoint = this.GetEndpoint(EndpointName);
            return ReferenceExpression.Create($"127.0.0.1:{endpoint.Property(EndpointProperty.Port)}");
        }
    }
}
