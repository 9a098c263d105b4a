using System.Collections.ObjectModel;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A named part of the application.</summary>
public interface IResource
{
    /// <summary>Its name, unique in the application.</summary>
    string Name { get; }
}

/// <summary>A resource whose process gets environment variables.</summary>
public interface IResourceWithEnvironment : IResource;

/// <summary>A resource whose process gets arguments.</summary>
public interface IResourceWithArgs : IResource;

/// <summary>A resource that listens.</summary>
public interface IResourceWithEndpoints : IResource;

/// <summary>A resource that can wait for others.</summary>
public interface IResourceWithWaitSupport : IResource;

/// <summary>A resource that others reach by a connection string.</summary>
public interface IResourceWithConnectionString : IResource, IValueProvider, IManifestExpressionProvider
{
    /// <summary>The connection string, from values that are known once the application runs.</summary>
    ReferenceExpression ConnectionStringExpression { get; }

    /// <summary>The connection string; waits until it is known.</summary>
    ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) => ConnectionStringExpression.GetValueAsync(cancellationToken);

    ValueTask<string?> IValueProvider.GetValueAsync(CancellationToken cancellationToken) => GetConnectionStringAsync(cancellationToken);

    string IManifestExpressionProvider.ValueExpression => $"{{{Name}.connectionString}}";
}

/// <summary>The resources of an application.</summary>
public interface IResourceCollection : IList<IResource>;

sealed class ResourceCollection : Collection<IResource>, IResourceCollection;

/// <summary>The base of all resources.</summary>
public abstract class Resource : IResource
{
    /// <summary>Names it.</summary>
    protected Resource(string name) => Name = name;

    /// <inheritdoc/>
    public virtual string Name { get; }

    // Aspire keeps all of this in annotations; what is not used from outside is a field here.
    internal List<Func<IDictionary<string, object>, CancellationToken, Task>> Environment { get; } = [];
    internal List<object> Arguments { get; } = [];
    internal List<Endpoint> Endpoints { get; } = [];
    internal List<IResource> WaitsFor { get; } = [];
    internal List<Func<HttpClient, CancellationToken, Task<bool>>> HealthChecks { get; } = [];
    internal List<(string Command, string? HelpLink)> RequiredCommands { get; } = [];
    internal bool ExplicitStart { get; set; }

    internal Endpoint Endpoint(string name) => Endpoints.FirstOrDefault(endpoint => endpoint.Name == name)
        ?? throw new DistributedApplicationException($"'{Name}' has no endpoint named '{name}'.");
}

/// <summary>A .NET project that runs as a process.</summary>
public class ProjectResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    internal string ProjectPath { get; init; } = "";
}

/// <summary>A program that runs as a process.</summary>
public class ExecutableResource(string name, string command, string workingDirectory) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    /// <summary>The program: a path, or a name looked for on the PATH.</summary>
    public string Command { get; } = command;
    /// <summary>The folder it runs in.</summary>
    public string WorkingDirectory { get; } = workingDirectory;
}

/// <summary>A container. The stand-in runs no other than <see cref="RedisResource"/>.</summary>
public class ContainerResource(string name, string? entrypoint = null) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    /// <summary>The program in the image to run in place of its own.</summary>
    public string? Entrypoint { get; set; } = entrypoint;

    internal string Image { get; init; } = "";
    internal List<(string Source, string Target)> Mounts { get; } = [];
}

/// <summary>A Redis in a container.</summary>
public class RedisResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    /// <summary>Where it listens.</summary>
    public EndpointReference PrimaryEndpoint => new(this, "tcp");

    /// <inheritdoc/>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{PrimaryEndpoint.Property(EndpointProperty.Host)}:{PrimaryEndpoint.Property(EndpointProperty.Port)}");
}

/// <summary>A connection string that the user gives in the configuration.</summary>
sealed class GivenConnectionString(string name, Func<string?> value) : Resource(name), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{value() ??
        throw new DistributedApplicationException($"The connection string '{Name}' is missing: set ConnectionStrings__{Name}.")}");
}

/// <summary>Describes one resource.</summary>
public interface IResourceBuilder<out T> where T : IResource
{
    /// <summary>The application it is part of.</summary>
    IDistributedApplicationBuilder ApplicationBuilder { get; }
    /// <summary>The resource.</summary>
    T Resource { get; }
}

sealed class ResourceBuilder<T>(IDistributedApplicationBuilder application, T resource) : IResourceBuilder<T> where T : IResource
{
    public IDistributedApplicationBuilder ApplicationBuilder => application;
    public T Resource => resource;
}
