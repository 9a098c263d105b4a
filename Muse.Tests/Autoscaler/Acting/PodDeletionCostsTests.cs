using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public sealed class PodDeletionCostsTests : IAsyncLifetime
{
    readonly LinesLogger lines = new();
    FakeKubernetes server = null!;
    PodDeletionCosts costs = null!;

    public async Task InitializeAsync()
    {
        server = await FakeKubernetes.StartAsync();
        costs = new(new NoOpActor(), server.Client, Options.Create(new KubernetesOptions { Namespace = "images" }),
            lines.For<PodDeletionCosts>());
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    static WorkerFacts Worker(string? pod, int images) =>
        new($"worker of {pod}", WorkerState.Ready, TimeSpan.FromHours(1), Images: images, Instance: pod);

    /// <summary>What was written since the last call: the cost by pod.</summary>
    Dictionary<string, string> Written(int after = 0) =>
        server.Requests.Skip(after).ToDictionary(request => request.Path.Split('/')[^2], request => Cost(request.Body));

    static string Cost(string patch) =>
        JsonNode.Parse(patch)!["metadata"]!["annotations"]!["controller.kubernetes.io/pod-deletion-cost"]!.GetValue<string>();

    [Fact]
    public async Task The_images_that_each_worker_holds_are_its_pods_deletion_cost()
    {
        await costs.PrepareScaleDownAsync([Worker("a", 12), Worker("b", 0), Worker("c", 3)], default);
        Assert.All(server.Requests, request => Assert.Equal(("PATCH", "application/merge-patch+json"), (request.Verb, request.Type)));
        Assert.Equal(["/api/v1/namespaces/images/pods/a/status", "/api/v1/namespaces/images/pods/b/status",
            "/api/v1/namespaces/images/pods/c/status"], server.Requests.Select(request => request.Path).Order());
        Assert.Equal(new() { ["a"] = "12", ["b"] = "0", ["c"] = "3" }, Written());
    }

    [Fact]
    public async Task Only_what_has_changed_is_written_again()
    {
        await costs.PrepareScaleDownAsync([Worker("a", 12), Worker("b", 0)], default);
        await costs.PrepareScaleDownAsync([Worker("a", 12), Worker("b", 5)], default);
        Assert.Equal(new() { ["b"] = "5" }, Written(after: 2));
    }

    [Fact]
    public async Task Workers_that_are_no_pods_are_left_out_and_a_pod_that_is_gone_is_no_error()
    {
        server.Gone.Add("/pods/a/");
        await costs.PrepareScaleDownAsync([Worker(null, 12), Worker("", 1), Worker("a", 2), Worker("b", 3)], default);
        Assert.Equal(["a", "b"], Written().Keys.Order());
        Assert.Empty(lines.All);
    }

    [Fact]
    public async Task An_API_server_that_refuses_does_not_stop_the_scaling_and_the_log_says_so()
    {
        server.Status = 403;
        await costs.PrepareScaleDownAsync([Worker("a", 12), Worker("b", 1)], default);
        Assert.Single(lines.All, line => line.StartsWith("The deletion costs of 2 worker pods could not be written"));
        server.Status = 200;
        await costs.PrepareScaleDownAsync([Worker("a", 12), Worker("b", 1)], default);
        Assert.Equal(["a", "b"], Written(after: 2).Keys.Order());
    }
}
