using Microsoft.Extensions.Configuration;
using Muse.AppHost;
using Muse.ServiceDefaults;

namespace Muse.Tests.AppHost;

public sealed class AppHostSettingsTests
{
    [Fact]
    public void Nothing_has_to_be_set()
    {
        var settings = Read();
        Assert.Equal((8080, 1, 4), (settings.HttpPort, settings.MinWorkers, settings.MaxWorkers));
        Assert.True(Path.IsPathFullyQualified(settings.DataFolder));
    }

    [Fact]
    public void More_workers_that_always_run_than_may_run_by_default_raise_the_default() =>
        Assert.Equal((6, 6), (Read(("MUSE_MIN_WORKERS", "6")).MinWorkers, Read(("MUSE_MIN_WORKERS", "6")).MaxWorkers));

    [Theory]
    [InlineData("MUSE_HTTP_PORT", "0", "from 1 to 65535")]
    [InlineData("MUSE_HTTP_PORT", "http", "from 1 to 65535")]
    [InlineData("MUSE_MAX_WORKERS", "0", "from 1 to 64")]
    [InlineData("MUSE_MIN_WORKERS", "-1", "from 0 to 64")]
    [InlineData("MUSE_LOAD_TESTING", "yes", "from 0 to 1")]
    public void A_wrong_one_is_refused_by_its_name_with_the_range(string name, string value, string range)
    {
        var error = Assert.Throws<CannotStartException>(() => Read((name, value)));
        Assert.Contains(name, error.Message);
        Assert.Contains(range, error.Message);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("*")]
    [InlineData("192.0.2.7")]
    public void An_address_that_other_machines_reach_needs_keys_or_an_express_permission(string host)
    {
        Assert.Contains("MUSE_API_KEYS", Assert.Throws<CannotStartException>(() => Read(("MUSE_HTTP_HOST", host))).Message);
        Assert.Equal(host, Read(("MUSE_HTTP_HOST", host), ("MUSE_API_KEYS", "me=secret")).HttpHost);
        Assert.Equal(host, Read(("MUSE_HTTP_HOST", host), ("Api:AllowAnonymous", "true")).HttpHost);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void A_loopback_address_needs_no_keys(string host) => Assert.Equal(host, Read(("MUSE_HTTP_HOST", host)).HttpHost);

    static AppHostSettings Read(params (string Name, string Value)[] values) => AppHostSettings.Read(new ConfigurationBuilder()
        .AddInMemoryCollection(values.ToDictionary(value => value.Name, value => (string?)value.Value)).Build());
}
