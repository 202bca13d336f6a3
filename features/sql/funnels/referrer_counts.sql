-- one row per number of customers brought in the days after registration, of who registered long enough before :as_of
with brought as (
    select
        users.entity_id,
        count(referrals.referred) as referrals
    from users
    left join referrals_of_all as referrals
        on
            users.entity_id = referrals.referred_by
            and referrals.day >= cast(day_number(users.registered_local_at) as int)
            and referrals.day < cast(day_number(users.registered_local_at) as int) + :window_days
    where
        users.is_customer
        and users.registered_at is not null
        and cast(day_number(users.registered_local_at) as int) >= :since
        and cast(day_number(users.registered_local_at) as int) < :entries_until
    group by users.entity_id
)

select
    cast(referrals as int) as referrals,
    count(*) as users
from brought
group by cast(referrals as int)
