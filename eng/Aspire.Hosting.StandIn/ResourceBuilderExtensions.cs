using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>What can be said of any resource.</summary>
public static class ResourceBuilderExtensions
{
    /// <summary>Sets an environment variable of its process.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value) where T : IResourceWithEnvironment =>
        builder.Change(resource => resource.Environment.Add((variables, _) =>
        {
            variables[name] = value ?? "";
            return Task.CompletedTask;
        }));

    /// <summary>Sets an environment variable of its process to a value that is known once the application runs.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, ReferenceExpression value) where T : IResourceWithEnvironment =>
        builder.Change(resource => resource.Environment.Add((variables, _) =>
        {
            variables[name] = value;
            return Task.CompletedTask;
        }));

    /// <summary>Sets an environment variable of its process to another one's address.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, EndpointReference endpointReference) where T : IResourceWithEnvironment =>
        builder.Change(resource => resource.Environment.Add((variables, _) =>
        {
            variables[name] = endpointReference;
            return Task.CompletedTask;
        }));

    /// <summary>Adds arguments: texts, or values that are known once the application runs.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args) where T : IResourceWithArgs =>
        builder.Change(resource => resource.Arguments.AddRange(args));

    /// <summary>Gives it an address. Without a port, a free one is chosen.</summary>
    public static IResourceBuilder<T> WithEndpoint<T>(this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? scheme = null, string? name = null, string? env = null, bool isProxied = true, bool? isExternal = null, System.Net.Sockets.ProtocolType? protocol = null) where T : IResourceWithEndpoints =>
        builder.Change(resource => resource.Endpoints.Add(new Endpoint(name ?? scheme ?? "tcp", scheme ?? "tcp", port, targetPort, env)));

    /// <summary>Gives it an http address. Without a port, a free one is chosen.</summary>
    public static IResourceBuilder<T> WithHttpEndpoint<T>(this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? name = null, string? env = null, bool isProxied = true) where T : IResourceWithEndpoints =>
        builder.WithEndpoint(port, targetPort, "http", name ?? "http", env, isProxied);

    /// <summary>Says that others than this machine's processes may use its http addresses. Without meaning here: nothing is published.</summary>
    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder) where T : IResourceWithEndpoints => builder;

    /// <summary>A reference to one of its endpoints.</summary>
    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name) where T : IResourceWithEndpoints => new(builder.Resource, name);

    /// <summary>It is healthy while this path answers with this status (200).</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null) where T : IResourceWithEndpoints
    {
        var endpoint = builder.GetEndpoint(endpointName ?? "http");
        return builder.Change(resource => resource.HealthChecks.Add(async (http, cancellation) =>
        {
            using var answer = await http.GetAsync(await endpoint.GetValueAsync(cancellation) + path, cancellation);
            return (int)answer.StatusCode == (statusCode ?? 200);
        }));
    }

    /// <summary>Gives it a connection string, as <c>ConnectionStrings__{name}</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithConnectionString> source, string? connectionName = null, bool optional = false) where TDestination : IResourceWithEnvironment =>
        builder.Change(resource => resource.Environment.Add((variables, _) =>
        {
            variables[$"ConnectionStrings__{connectionName ?? source.Resource.Name}"] = source.Resource.ConnectionStringExpression;
            return Task.CompletedTask;
        }));

    /// <summary>Tells it where another one listens, as <c>services__{name}__{endpoint}__0</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, EndpointReference endpointReference) where TDestination : IResourceWithEnvironment =>
        builder.Change(resource => resource.Environment.Add((variables, _) =>
        {
            variables[$"services__{endpointReference.Resource.Name}__{endpointReference.EndpointName}__0"] = endpointReference;
            return Task.CompletedTask;
        }));

    /// <summary>It starts once the other one runs and is healthy.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency) where T : IResourceWithWaitSupport =>
        builder.Change(resource => resource.WaitsFor.Add(dependency.Resource));

    /// <summary>It starts on command only.</summary>
    public static IResourceBuilder<T> WithExplicitStart<T>(this IResourceBuilder<T> builder) where T : IResource =>
        builder.Change(resource => resource.ExplicitStart = true);

    internal static IResourceBuilder<T> Change<T>(this IResourceBuilder<T> builder, Action<Resource> change) where T : IResource
    {
        change(builder.Resource as Resource ?? throw new DistributedApplicationException($"'{builder.Resource.Name}' is not derived from Resource."));
        return builder;
    }
}

/// <summary>Says what must be installed.</summary>
public static class RequiredCommandResourceExtensions
{
    /// <summary>It needs this program: where there is none, its log says so and where to get it before the start fails.</summary>
    /// <param name="builder">The resource.</param>
    /// <param name="command">The program's path, or its name on the PATH.</param>
    /// <param name="helpLink">The page that says how to install it.</param>
    public static IResourceBuilder<T> WithRequiredCommand<T>(this IResourceBuilder<T> builder, string command, string? helpLink = null) where T : IResource =>
        builder.Change(resource => resource.RequiredCommands.Add((command, helpLink)));
}

/// <summary>Adds .NET projects.</summary>
public static class ProjectResourceBuilderExtensions
{
    /// <summary>Adds a project, run as it was built with the AppHost.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="projectPath">The project file, relative to the AppHost's folder.</param>
    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddResource(new ProjectResource(name) { ProjectPath = Path.GetFullPath(projectPath, builder.AppHostDirectory) });
}

/// <summary>Adds programs.</summary>
public static class ExecutableResourceBuilderExtensions
{
    /// <summary>Adds a program.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="command">Its path, or its name on the PATH.</param>
    /// <param name="workingDirectory">The folder it runs in, relative to the AppHost's.</param>
    /// <param name="args">Its arguments.</param>
    public static IResourceBuilder<ExecutableResource> AddExecutable(this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[]? args) =>
        builder.AddResource(new ExecutableResource(name, command, Path.GetFullPath(workingDirectory, builder.AppHostDirectory))).WithArgs([.. args ?? []]);
}

/// <summary>Adds connection strings given by the user.</summary>
public static class ParameterResourceBuilderExtensions
{
    /// <summary>Adds the connection string <c>ConnectionStrings:{name}</c> of the AppHost's configuration.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null) =>
        builder.AddResource(new GivenConnectionString(name, () => builder.Configuration[$"ConnectionStrings:{name}"]));
}

/// <summary>Adds connection strings put together from other resources' values.</summary>
public static class ConnectionStringBuilderExtensions
{
    /// <summary>Adds a connection string, there once the resources that it names have started.</summary>
    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
        builder.AddResource(new ConnectionStringResource(name, connectionStringExpression)).Change(resource =>
            resource.WaitsFor.AddRange(connectionStringExpression.ValueProviders.OfType<EndpointReferenceExpression>().Select(value => value.Endpoint.Resource).Distinct()));
}

/// <summary>Adds Redis.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>Adds a Redis that runs in a container.</summary>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port = null) =>
        builder.AddResource(new RedisResource(name) { Image = "docker.io/library/redis:8" }).WithEndpoint(port, targetPort: 6379, scheme: "tcp", name: "tcp");

    /// <summary>Keeps its data in a folder of the host.</summary>
    public static IResourceBuilder<RedisResource> WithDataBindMount(this IResourceBuilder<RedisResource> builder, string source, bool isReadOnly = false)
    {
        builder.Resource.Mounts.Add((source, "/data"));
        return builder;
    }
}
