using System.ComponentModel.DataAnnotations;
using CsCheck;
using Muse.Queue;
using Muse.ServiceDefaults;

namespace Muse.Tests.ServiceDefaults;

public class ModelKeyTests
{
    [Theory]
    [InlineData("models/scenes", "scenes")]
    [InlineData("/srv/models/sd-1.5_fp16/", "sd-1.5_fp16")]
    public void A_safe_folder_name_is_the_key(string folder, string key) => Assert.Equal(key, ModelKey.Of(folder));

    [Fact]
    public void Any_other_folder_name_has_a_key_that_the_queue_accepts() =>
        Gen.OneOf(Gen.String, Gen.Const("my modèl"), Gen.Const("画"), Gen.Const(new string('a', 200)), Gen.Const("a:b{c}"))
            .Where(name => name.Length > 0 && !name.Contains('/') && !name.Contains('\0') && name.Trim('.').Length > 0)
            .Sample(name =>
            {
                var options = new QueueOptions { Model = ModelKey.Of(Path.Combine("/models", name)) };
                Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
            });

    [Fact]
    public void Folders_whose_names_differ_only_in_unsafe_characters_have_different_keys()
    {
        string[] names = ["my modèl", "my modél", "my model", "my-model", "my_model", new string('a', 70), new string('a', 71)];
        Assert.Equal(names.Length, names.Select(ModelKey.Of).Distinct().Count());
        Assert.StartsWith("my-mod-l-", ModelKey.Of("my modèl"));
    }
}
