using Muse.Queue;
using StackExchange.Redis;

namespace Muse.Tests.Queue;

public sealed class RedisConnectionStringTests
{
    static ConfigurationOptions Options(string text)
    {
        var parsed = RedisConnectionString.Parse(text);
        var options = ConfigurationOptions.Parse(parsed.StackExchange);
        parsed.Apply(options);
        return options;
    }

    [Theory]
    [InlineData("redis://example", "example:6379", null, null, false, null)]
    [InlineData("redis://example:6380/3", "example:6380", null, null, false, 3)]
    [InlineData("redis://example/", "example:6379", null, null, false, null)]
    [InlineData("redis://example?db=4", "example:6379", null, null, false, 4)]
    [InlineData("rediss://example:6380", "example:6380", null, null, true, null)]
    [InlineData("redis://:secret@example", "example:6379", null, "secret", false, null)]
    [InlineData("redis://secret@example", "example:6379", null, "secret", false, null)]
    [InlineData("rediss://ada:se%2Ccret%3D%40@example:1/0", "example:1", "ada", "se,cret=@", true, 0)]
    [InlineData("redis://10.0.0.1:7000", "10.0.0.1:7000", null, null, false, null)]
    [InlineData("redis://[::1]:7000", "[::1]:7000", null, null, false, null)]
    [InlineData("example:6380,password=secret,ssl=true", "example:6380", null, "secret", true, null)]
    public void A_URI_says_the_same_as_the_format_of_StackExchange_Redis(
        string text, string endpoint, string? user, string? password, bool tls, int? database)
    {
        var options = Options(text);
        Assert.Equal(endpoint, Assert.Single(options.EndPoints).ToString()!.Replace("Unspecified/", ""));
        Assert.Equal((user, password, tls, database), (options.User, options.Password, options.Ssl, options.DefaultDatabase));
    }

    [Theory]
    [InlineData("example:6379", 3000)]
    [InlineData("redis://example", 3000)]
    [InlineData("example:6379,asyncTimeout=30000", 30_000)]
    [InlineData("example:6379,syncTimeout=20000", 20_000)]
    public void Commands_time_out_after_3_s_unless_the_connection_string_says_otherwise(string text, int milliseconds) =>
        Assert.Equal(milliseconds, Options(text).AsyncTimeout);

    [Theory]
    [InlineData(null, "is missing")]
    [InlineData(" ", "is missing")]
    [InlineData("redis://", "is not a valid URI of Redis")]
    [InlineData("http://example:6379", "is not a valid URI of Redis")]
    [InlineData("redis+sentinel://example:6379/mymaster", "is not a valid URI of Redis")]
    [InlineData("redis://one:1,two:2", "is not a valid URI of Redis")]
    [InlineData("redis://example/first", "names the database 'first', which must be a number from 0")]
    [InlineData("redis://example?timeout=3", "has an option in its URI other than db")]
    [InlineData("example:6379,colour=red", "Keyword 'colour' is not supported")]
    [InlineData("example:6379,ssl=perhaps", "is invalid")]
    [InlineData("ssl=true", "names no host")]
    [InlineData("example:6379,channelPrefix=app1:", "sets channelPrefix, which Muse does not support")]
    [InlineData("example:6379,proxy=Twemproxy", "sets proxy, which Muse does not support")]
    public void What_can_not_work_is_named_in_a_sentence(string? text, string error) =>
        Assert.Contains($"ConnectionStrings:redis {error}".Replace("redis Keyword", "redis is invalid: Keyword"),
            Assert.Throws<FormatException>(() => RedisConnectionString.Parse(text)).Message);

    [Fact]
    public void An_error_does_not_repeat_the_password()
    {
        var exception = Assert.Throws<FormatException>(() => RedisConnectionString.Parse("redis://ada:secret@a:b"));
        Assert.DoesNotContain("secret", exception.Message);
    }
}
