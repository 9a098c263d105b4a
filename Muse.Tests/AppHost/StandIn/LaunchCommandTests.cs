using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost.StandIn;

public sealed class LaunchCommandTests
{
    readonly IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(["--ConnectionStrings:redis=elsewhere:6379"]);

    [Fact]
    public async Task A_project_gets_the_variables_that_Aspire_gives()
    {
        var api = builder.AddProject("api", Path.Combine(Repository.Root, "Muse.Api", "Muse.Api.csproj")).WithHttpEndpoint(port: 8123);
        var page = builder.AddProject("page", Path.Combine(Repository.Root, "Muse.Api", "Muse.Api.csproj"))
            .WithHttpEndpoint(port: 8124).WithReference(builder.AddConnectionString("redis")).WithReference(api.GetEndpoint("http"));
        foreach (var endpoint in builder.Resources.OfType<Resource>().SelectMany(resource => resource.Endpoints))
            endpoint.Allocated.SetResult(endpoint.Port!.Value);

        var command = await LaunchCommand.ForAsync(page.Resource, "page-abcdefgh", "http://localhost:4317", new HostingEnvironment { EnvironmentName = Environments.Development }, CancellationToken.None);

        Assert.Equal("elsewhere:6379", command.Environment["ConnectionStrings__redis"]);
        Assert.Equal("http://localhost:8123", command.Environment["services__api__http__0"]);
        Assert.Equal("http://localhost:8124", command.Environment["ASPNETCORE_URLS"]);
        Assert.Equal("http://localhost:4317", command.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Assert.Equal("page", command.Environment["OTEL_SERVICE_NAME"]);
        Assert.Equal("service.instance.id=abcdefgh", command.Environment["OTEL_RESOURCE_ATTRIBUTES"]);
        // The AppHost's own environment is not its children's.
        Assert.Null(command.Environment["DOTNET_ENVIRONMENT"]);
        Assert.EndsWith("Muse.Api.dll", command.Arguments[0]);
        Assert.Equal(Path.Combine(Repository.Root, "Muse.Api"), command.WorkingDirectory);
    }

    [Fact]
    public async Task A_project_that_is_not_built_is_named_with_the_file_looked_for()
    {
        var missing = builder.AddProject("missing", "/nowhere/Missing.csproj");
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() =>
            LaunchCommand.ForAsync(missing.Resource, "missing-abcdefgh", null, new HostingEnvironment(), CancellationToken.None));
        Assert.Contains("Missing.dll", error.Message);
    }

    [Fact]
    public async Task A_missing_connection_string_is_named()
    {
        var api = builder.AddProject("api", Path.Combine(Repository.Root, "Muse.Api", "Muse.Api.csproj")).WithReference(builder.AddConnectionString("other"));
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() =>
            LaunchCommand.ForAsync(api.Resource, "api-abcdefgh", null, new HostingEnvironment(), CancellationToken.None));
        Assert.Contains("ConnectionStrings__other", error.Message);
    }

    [Fact]
    public async Task A_Redis_container_publishes_its_port_keeps_its_data_outside_and_is_removed_at_the_end()
    {
        var redis = builder.AddRedis("redis", port: 7000).WithDataBindMount("/data/of/mine").WithArgs("--appendonly", "yes");
        redis.Resource.Endpoint("tcp").Allocated.SetResult(7000);
        var command = await LaunchCommand.ForAsync(redis.Resource, "redis-abcdefgh", null, new HostingEnvironment(), CancellationToken.None);
        Assert.Equal("docker run --rm --name redis-abcdefgh --publish 127.0.0.1:7000:6379 --volume /data/of/mine:/data docker.io/library/redis:8 --appendonly yes",
            $"{command.Program} {string.Join(' ', command.Arguments)}");
        Assert.Equal("docker rm --force redis-abcdefgh", command.CleanUp);
    }
}
