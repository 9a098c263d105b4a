using System.Text.Json;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public class KubernetesActorTests
{
    static readonly ScalingDecision Decision = new(7, "because", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now));

    [Fact]
    public async Task It_patches_the_scale_of_the_workers_deployment()
    {
        await using var server = await ApiServer.StartAsync(StatusCodes.Status200OK);
        await server.Actor().ActAsync(Decision, default);

        var (verb, path, type, body) = Assert.Single(server.Requests);
        Assert.Equal(("PATCH", "/apis/apps/v1/namespaces/muse/deployments/workers/scale", "application/merge-patch+json"),
            (verb, path, type));
        Assert.Equal("""{"spec":{"replicas":7}}""", JsonSerializer.Serialize(JsonDocument.Parse(body)));
    }

    [Theory]
    [InlineData(StatusCodes.Status403Forbidden)]
    [InlineData(StatusCodes.Status404NotFound)]
    public async Task An_error_of_the_API_server_is_thrown_for_the_loop_to_log(int status)
    {
        await using var server = await ApiServer.StartAsync(status);
        await Assert.ThrowsAsync<k8s.Autorest.HttpOperationException>(() => server.Actor().ActAsync(Decision, default));
    }

    sealed class ApiServer(WebApplication app) : IAsyncDisposable
    {
        public List<(string Verb, string Path, string? Type, string Body)> Requests { get; } = [];

        public static async Task<ApiServer> StartAsync(int status)
        {
            var builder = WebApplication.CreateBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var server = new ApiServer(builder.Build());
            server.app.Run(async context =>
            {
                using var reader = new StreamReader(context.Request.Body);
                server.Requests.Add((context.Request.Method, context.Request.Path, context.Request.ContentType?.Split(';')[0],
                    await reader.ReadToEndAsync()));
                context.Response.StatusCode = status;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(
                    """{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"workers"},"spec":{"replicas":7}}""");
            });
            await server.app.StartAsync();
            return server;
        }

        readonly WebApplication app = app;

        public KubernetesActor Actor() => new(
            new Kubernetes(new KubernetesClientConfiguration { Host = app.Urls.Single() }),
            Options.Create(new KubernetesOptions { Namespace = "muse", Deployment = "workers" }));

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
